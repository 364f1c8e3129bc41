/** A tiny HTTP server that answers as a test tells it to. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ExecutionEvent, ExecutionResult } from "../../../src/client/index.ts";
import { sampleResult } from "../../helpers/sample-result.ts";

/** A request as it arrived. */
export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export type Answer = (request: SeenRequest, response: ServerResponse, match: RegExpExecArray) => void | Promise<void>;

/** Answers by route; what has no route is 404 in the contract's form. */
export class FakeServer {
  readonly requests: SeenRequest[] = [];
  readonly #routes: { method: string; pattern: RegExp; answer: Answer }[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  static async start(port = 0): Promise<FakeServer> {
    const fake = new FakeServer();
    fake.#server.on("connection", (socket) => {
      fake.#sockets.add(socket);
      socket.on("close", () => fake.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => fake.#server.listen(port, "127.0.0.1", resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Later routes win. */
  on(method: string, pattern: RegExp, answer: Answer): void {
    this.#routes.unshift({ method, pattern, answer });
  }

  /** Requests for a path, in order. */
  seen(method: string, pattern: RegExp): SeenRequest[] {
    return this.requests.filter((request) => request.method === method && pattern.test(request.path));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    };
    this.requests.push(seen);
    for (const { method, pattern, answer } of this.#routes) {
      const match = method === seen.method ? pattern.exec(seen.path) : null;
      if (match !== null) {
        await answer(seen, response, match);
        return;
      }
    }
    sendError(response, 404, "not_found", "There is nothing at this path.");
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  headers: Record<string, string> = {},
): void {
  sendJson(response, status, { detail, code }, headers);
}

/** The frame of an event, as the contract writes it. */
export function frame(id: number, { event, data }: { event: string; data: unknown }): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

export function output(text: string, type: "stdout" | "stderr" = "stdout"): ExecutionEvent {
  return { event: "output", data: { type, text } };
}

/** Events of an execution with their end. */
export function complete(events: ExecutionEvent[], fields: Partial<ExecutionResult> = {}): ExecutionEvent[] {
  const text = (type: "stdout" | "stderr") =>
    events.flatMap((event) => (event.event === "output" && event.data.type === type ? [event.data.text] : []));
  return [
    ...events,
    { event: "result", data: sampleResult({ stdout: text("stdout"), stderr: text("stderr"), ...fields }) },
    { event: "done", data: {} },
  ];
}

/** How the stream of {@link serveExecution} behaves. */
export interface ServedExecution {
  events: ExecutionEvent[];
  /** Connection n is cut after this many bytes. */
  cutAfterBytes?: number[];
}

/** Serves one execution: accepts it, streams its events from where the client asks, and cuts connections as told. */
export function serveExecution(server: FakeServer, { events, cutAfterBytes = [] }: ServedExecution): void {
  let connections = 0;
  server.on("POST", /\/sessions\/([^/]+)\/execute$/, (request, response, match) => {
    const executionId = (JSON.parse(request.body) as { exec_id: string }).exec_id;
    sendJson(response, 202, { execution_id: executionId, stream_url: `/api/v1/sessions/${match[1]}/execute/${executionId}/stream` });
  });
  server.on("GET", /\/execute\/[^/]+\/stream$/, (request, response) => {
    const from = Number(request.headers["last-event-id"] ?? 0);
    const body = Buffer.from(events.map((event, index) => (index < from ? "" : frame(index + 1, event))).join(""));
    response.writeHead(200, { "content-type": "text/event-stream" });
    const cutAt = cutAfterBytes[connections];
    connections += 1;
    if (cutAt === undefined) response.end(body);
    else response.write(body.subarray(0, cutAt), () => response.destroy());
  });
}
