/** A file on its way from the server: a stream that continues where a broken connection left off. */
import { pathOf, type CallOptions, type Connection } from "./connection.ts";
import { ExecutionClientError, isFault } from "./error.ts";
import { networkFault } from "./faults.ts";
import { Backoff, deadline, pause, type Deadline } from "./waiting.ts";

/** A file that is being downloaded; its body is read once. */
export interface Download {
  /** As it was asked for. */
  fileName: string;
  mimeType: string;
  /** null where the server does not say. */
  sizeBytes: number | null;
  /** The bytes as they come; cancel it to stop. */
  body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** All of it. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** All of it, as UTF-8. */
  text(): Promise<string>;
}

const MOST_RESUMES = 10;

/**
 * Opens a file of a session.
 * @param options.timeoutMs How long nothing may arrive.
 */
export async function download(connection: Connection, sessionId: string, fileName: string, options: CallOptions): Promise<Download> {
  const path = `${pathOf("sessions", sessionId, "artifacts")}${pathOf(...fileName.split("/"))}`;
  const timeoutMs = options.timeoutMs === undefined ? connection.timeoutMs : options.timeoutMs;
  const clock = deadline(options.signal, timeoutMs, () => `${connection.url} sent nothing of ${fileName} for ${timeoutMs} ms.`);
  let response: Response;
  try {
    response = await connection.open("GET", path, {}, clock);
  } catch (error) {
    clock.clear();
    throw error;
  }
  clock.stop();
  const body = toStream(chunks(connection, path, response, clock));
  // `Response` knows how to gather a stream, in every runtime.
  const whole = new Response(body);
  return {
    fileName,
    mimeType: response.headers.get("content-type") ?? "application/octet-stream",
    sizeBytes: sizeOf(response),
    body,
    bytes: async () => new Uint8Array(await whole.arrayBuffer()),
    text: () => whole.text(),
  };
}

async function* chunks(connection: Connection, path: string, first: Response, clock: Deadline): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const validator = first.headers.get("etag");
  const sizeBytes = sizeOf(first);
  const backoff = new Backoff(50, 2_000);
  let receivedBytes = 0;
  let response = first;
  try {
    for (let resumes = 0; ; resumes += 1) {
      let fault: ExecutionClientError;
      try {
        for await (const chunk of readBody(response, clock)) {
          receivedBytes += chunk.byteLength;
          yield chunk;
        }
        if (sizeBytes === null || receivedBytes >= sizeBytes) return;
        fault = new ExecutionClientError(
          "connection_lost",
          `The download from ${connection.url} ended after ${receivedBytes} of ${sizeBytes} bytes.`,
        );
      } catch (error) {
        fault = clock.faultOf(error) ?? networkFault(connection.url, error);
      }
      // Without a strong validator the rest may be of another content than the beginning.
      if (clock.signal.aborted || resumes >= MOST_RESUMES || validator === null || validator.startsWith("W/")) throw fault;
      await pause(backoff.nextMs(), clock.signal);
      const headers = { Range: `bytes=${receivedBytes}-`, "If-Range": validator };
      response = await connection.open("GET", path, { headers }, clock);
      if (response.status !== 206) {
        await response.body?.cancel();
        throw new ExecutionClientError(
          "connection_lost",
          `The file changed while it was downloaded from ${connection.url}: download it again.`,
        );
      }
    }
  } catch (error) {
    throw isFault(error) ? error : (clock.faultOf(error) ?? networkFault(connection.url, error));
  } finally {
    clock.clear();
  }
}

async function* readBody(response: Response, clock: Deadline): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  try {
    for (;;) {
      clock.restart();
      const { done, value } = await reader.read();
      clock.stop();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function toStream(source: AsyncGenerator<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      const next = await source.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await source.return(undefined);
    },
  });
}

/** Node's fetch unpacks compressed bodies; their length is then not that of the file. */
function sizeOf(response: Response): number | null {
  const length = response.headers.get("content-length");
  return length === null || response.headers.has("content-encoding") ? null : Number(length);
}
