/** Reads the frames of a stream of server-sent events. */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { Deadline } from "./waiting.ts";

/**
 * Yields the frames of a response body as they come; ends when the body does. A frame cut short is dropped.
 * @param silence Runs while the body is waited for; anything that arrives starts it anew, comments included.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
export async function* readServerSentEvents(body: ReadableStream<Uint8Array>, silence: Deadline): AsyncGenerator<EventSourceMessage> {
  let frames: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (frame) => frames.push(frame) });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      silence.restart();
      const { done, value } = await reader.read();
      silence.stop();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      const ready = frames;
      frames = [];
      yield* ready;
    }
  } finally {
    // A reader that leaves early must not leave the connection open; a broken one has nothing left to cancel.
    await reader.cancel().catch(() => undefined);
  }
}
