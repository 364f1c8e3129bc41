/** Server-Sent Events: one reader's view of an execution's log, at that reader's pace. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Execution } from "../session/execution.ts";
import type { Reader } from "../session/result.ts";
import { eventText } from "../session/result-text.ts";

/** Options of {@link streamExecution}. */
export interface StreamOptions {
  reader: Reader;
  /** Resume after this event; 0: from the first. */
  afterId: number;
  heartbeatMs: number;
}

const HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  // nginx buffers responses unless told not to.
  "x-accel-buffering": "no",
};

/** A reader that takes nothing for so long holds memory for nobody; it can come back and resume. */
const STALLED_READER_MS = 600_000;

/**
 * Writes the events of an execution until `done`, or until the client leaves; the execution does not notice either.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export async function streamExecution(response: ServerResponse, execution: Execution, options: StreamOptions): Promise<void> {
  const left = new AbortController();
  response.once("close", () => left.abort());
  response.on("error", () => left.abort());
  response.writeHead(200, { ...response.getHeaders(), ...HEADERS });
  response.flushHeaders();
  /** Set while an event is being written: a comment in the midst of it would break it. */
  let isWriting = false;
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain && !isWriting) response.write(": keep-alive\n\n");
  }, options.heartbeatMs);
  // Nothing is read before the client has taken what it was sent: a slow reader costs no memory.
  const write = async (text: string): Promise<void> => {
    if (response.write(text)) return;
    await once(response, "drain", { signal: AbortSignal.any([left.signal, AbortSignal.timeout(STALLED_READER_MS)]) });
  };
  const release = execution.journal.hold();
  try {
    for await (const { id, event } of execution.log.read(options.afterId, left.signal)) {
      const head = `id: ${id}\nevent: ${event.event}\ndata: `;
      const text = eventText(event, execution, options.reader);
      isWriting = true;
      if (typeof text === "string") await write(`${head}${oneLine(text)}\n\n`);
      else {
        await write(head);
        for await (const piece of text) await write(oneLine(piece));
        await write("\n\n");
      }
      isWriting = false;
    }
  } catch (error) {
    if (isTimeout(error)) response.destroy();
    else if (!left.signal.aborted) throw error;
  } finally {
    release();
    clearInterval(heartbeat);
    response.end();
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError" && (error.cause as Error | undefined)?.name === "TimeoutError";
}

/** Existing clients split lines at these characters too; inside JSON strings an escape means the same. */
function oneLine(json: string): string {
  return json.replace(/[\u0085\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
