/** Server-Sent Events: one reader's view of an execution's log, at that reader's pace. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Execution } from "../session/execution.ts";
import { renderEvent, type Reader } from "../session/result.ts";

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
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(": keep-alive\n\n");
  }, options.heartbeatMs);
  try {
    for await (const { id, event } of execution.log.read(options.afterId, left.signal)) {
      const data = oneLine(renderEvent(event, execution.result, options.reader));
      const taken = response.write(`id: ${id}\nevent: ${event.event}\ndata: ${data}\n\n`);
      // Nothing is read from the log before the client has taken what it was sent: a slow reader costs no memory.
      if (!taken) await once(response, "drain", { signal: AbortSignal.any([left.signal, AbortSignal.timeout(STALLED_READER_MS)]) });
    }
  } catch (error) {
    if (isTimeout(error)) response.destroy();
    else if (!left.signal.aborted) throw error;
  } finally {
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
