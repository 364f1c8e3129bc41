/** The HTTP calls that are measured, over kept-alive connections of `node:http`: this server's and the FastAPI peer's are alike. */
import { Agent, request, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Closable } from "./bench.ts";

/** The fields of a result that the benchmark looks at. */
export interface ExecutionAnswer {
  is_success: boolean;
  stdout: string[];
  error: string | null;
}

const TIMEOUT_MS = 120_000;
const CHUNK_BYTES = 256 * 1024;

/** A server's sessions. */
export class SessionApi implements Closable {
  readonly #url: string;
  readonly #keyHeaders: Record<string, string>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024 });
  #executions = 0;

  /** @param url e.g. `http://127.0.0.1:8000`  @param apiKey Sent where there is one. */
  constructor(url: string, apiKey?: string) {
    this.#url = `${url}/api/v1/sessions`;
    this.#keyHeaders = apiKey === undefined ? {} : { "x-api-key": apiKey };
  }

  async create(sessionId: string): Promise<void> {
    await this.#json("POST", "", { session_id: sessionId });
  }

  /** Reads what a session says of itself. */
  async look(sessionId: string): Promise<void> {
    await this.#json("GET", `/${sessionId}`);
  }

  async remove(sessionId: string): Promise<void> {
    await this.#json("DELETE", `/${sessionId}`);
  }

  /** Runs code and waits for its result; code that fails is an error here. */
  async execute(sessionId: string, code: string): Promise<ExecutionAnswer> {
    const answer = (await this.#json("POST", `/${sessionId}/execute`, { exec_id: this.#nextId(), code })) as ExecutionAnswer;
    if (!answer.is_success) throw new Error(`The code failed: ${answer.error}`);
    return answer;
  }

  /** Starts code; resolves with its event stream. */
  async stream(sessionId: string, code: string): Promise<IncomingMessage> {
    const execId = this.#nextId();
    await this.#json("POST", `/${sessionId}/execute`, { exec_id: execId, code, stream: true });
    return this.#send("GET", `/${sessionId}/execute/${execId}/stream`);
  }

  /** Sends a file of zeros. */
  async upload(sessionId: string, path: string, sizeBytes: number): Promise<void> {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const chunks = function* (): Generator<Buffer> {
      for (let sent = 0; sent < sizeBytes; sent += chunk.length) yield chunk.subarray(0, sizeBytes - sent);
    };
    const headers = { "content-type": "application/octet-stream", "content-length": String(sizeBytes) };
    const response = await this.#send("PUT", `/${sessionId}/files/${path}`, headers, Readable.from(chunks(), { objectMode: false }));
    await readText(response);
  }

  /** Reads a file and drops it; resolves with its size in bytes. */
  async download(sessionId: string, path: string): Promise<number> {
    let received = 0;
    for await (const chunk of await this.#send("GET", `/${sessionId}/artifacts/${path}`)) received += (chunk as Buffer).length;
    return received;
  }

  close(): Promise<void> {
    this.#agent.destroy();
    return Promise.resolve();
  }

  #nextId(): string {
    this.#executions += 1;
    return `bench-${this.#executions}`;
  }

  async #json(method: string, path: string, body?: unknown): Promise<unknown> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: Record<string, string> =
      text === undefined ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) };
    const response = await this.#send(method, path, headers, text);
    return JSON.parse(await readText(response)) as unknown;
  }

  /** Resolves with the response once its head has come; one that says failure is an error. */
  async #send(method: string, path: string, headers: Record<string, string> = {}, body?: string | Readable): Promise<IncomingMessage> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const all = { ...headers, ...this.#keyHeaders };
      const sending = request(`${this.#url}${path}`, { method, headers: all, agent: this.#agent, timeout: TIMEOUT_MS });
      sending.once("response", resolve);
      sending.once("error", reject);
      sending.once("timeout", () => sending.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS / 1000} s`)));
      if (body instanceof Readable) pipeline(body, sending).catch(reject);
      else sending.end(body);
    });
    if ((response.statusCode ?? 0) < 400) return response;
    throw new Error(`${method} ${path}: ${response.statusCode} ${await readText(response)}`);
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk as string;
  return text;
}
