/** An OpenAI-compatible service on loopback that answers as a script says, and remembers what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A request as it arrived. */
export interface ModelRequest {
  path: string;
  headers: IncomingMessage["headers"];
  body: { model: string; stream?: boolean; tools?: unknown[]; messages: ChatMessage[] };
}

/** A message of the chat completions API; what a test looks at. */
export interface ChatMessage {
  role: string;
  content: string | null | { type: string; text?: string; image_url?: { url: string } }[];
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** What one request is answered with. */
export type ScriptedReply = (response: ServerResponse, request: ModelRequest) => void | Promise<void>;

/** The service. */
export class ScriptedModel implements AsyncDisposable {
  readonly requests: ModelRequest[] = [];
  readonly #replies: ScriptedReply[];
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  private constructor(replies: ScriptedReply[]) {
    this.#replies = replies;
  }

  /** Starts it; each request takes the next reply. */
  static async start(...replies: ScriptedReply[]): Promise<ScriptedModel> {
    const model = new ScriptedModel(replies);
    model.#server.on("connection", (socket) => {
      model.#sockets.add(socket);
      socket.on("close", () => model.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => model.#server.listen(0, "127.0.0.1", resolve));
    return model;
  }

  /** What goes into `llm.api_base`. */
  get apiBase(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Replies for further requests. */
  add(...replies: ScriptedReply[]): void {
    this.#replies.push(...replies);
  }

  /** The text that the model was given last. */
  get lastText(): string {
    const content = this.requests.at(-1)?.body.messages.at(-1)?.content;
    return typeof content === "string" ? content : JSON.stringify(content);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}") as ModelRequest["body"];
    const request = { path: incoming.url ?? "", headers: incoming.headers, body };
    this.requests.push(request);
    const reply = this.#replies.shift() ?? fails(418, "The script has no more replies.");
    await reply(response, request);
  }
}

/** Words, in small pieces. */
export function says(text: string): ScriptedReply {
  return (response) => {
    begin(response);
    for (const piece of pieces(text)) send(response, { content: piece });
    finish(response, "stop");
  };
}

/** Code by a tool call, its arguments in small pieces, with words before it. */
export function runs(code: string, words = ""): ScriptedReply {
  return calls(JSON.stringify({ code }), words);
}

/** A tool call with any arguments. */
export function calls(argumentsText: string, words = ""): ScriptedReply {
  return (response, { body }) => {
    begin(response);
    for (const piece of pieces(words)) send(response, { content: piece });
    const id = `call_${body.messages.length}`;
    send(response, { tool_calls: [{ index: 0, id, type: "function", function: { name: "run_python", arguments: "" } }] });
    for (const piece of pieces(argumentsText)) send(response, { tool_calls: [{ index: 0, function: { arguments: piece } }] });
    finish(response, "tool_calls");
  };
}

/** An error with a status. */
export function fails(
  status: number,
  message: string,
  headers: Record<string, string> = {},
  fields: Record<string, unknown> = {},
): ScriptedReply {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ error: { message, ...fields } }));
  };
}

/** A stream whose connection breaks in the middle of code. */
export function breaksOff(code: string): ScriptedReply {
  return (response) => {
    begin(response);
    const half = JSON.stringify({ code }).slice(0, -Math.ceil(code.length / 2));
    send(response, { tool_calls: [{ index: 0, id: "call_cut", type: "function", function: { name: "run_python", arguments: half } }] });
    response.write(" ", () => response.destroy());
  };
}

/** A reply that goes on only when the test says so. */
export function slowly(first: string, gate: Promise<void>, rest: string): ScriptedReply {
  return async (response) => {
    begin(response);
    send(response, { content: first });
    await gate;
    send(response, { content: rest });
    finish(response, "stop");
  };
}

function begin(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  send(response, { role: "assistant", content: "" });
}

function send(response: ServerResponse, delta: unknown, finishReason: string | null = null): void {
  const chunk = { id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finishReason }] };
  response.write(`data: ${JSON.stringify(chunk)}\n\n`);
}

function finish(response: ServerResponse, reason: string): void {
  send(response, {}, reason);
  response.end("data: [DONE]\n\n");
}

function pieces(text: string): string[] {
  return text.match(/[^]{1,7}/gu) ?? [];
}
