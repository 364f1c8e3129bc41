/** WebSockets through the gateway: two sockets joined, once the executor has agreed; what is said on them is nobody's business here. */
import { request as httpRequest, ServerResponse, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import { ExecutorFault } from "./executor-calls.ts";
import { requestHeaders, requestPath } from "./forwarded-headers.ts";

interface Upgrade {
  socket: Duplex;
  head: Buffer;
}

interface ClientUpgrade extends Upgrade {
  /** Holds the socket until an answer, or none, is to be written. */
  response: ServerResponse;
}

/** How executors are reached. */
export interface WebSocketOptions {
  keyHeaders: Record<string, string>;
  ca?: string;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Joins the sockets of clients and executors. */
export class WebSockets {
  readonly #options: WebSocketOptions;
  readonly #upgrades = new WeakMap<IncomingMessage, ClientUpgrade>();
  readonly #open = new Set<Duplex>();

  constructor(options: WebSocketOptions) {
    this.#options = options;
  }

  /** Lets requests for an upgrade go through the application's doors and routes like all others. */
  register(app: FastifyInstance): void {
    app.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#open.add(socket);
      socket.once("close", () => this.#open.delete(socket));
      socket.on("error", () => socket.destroy());
      const response = new ServerResponse(request);
      this.#upgrades.set(request, { socket, head, response });
      response.shouldKeepAlive = false;
      response.assignSocket(socket as never);
      // An answer instead of an upgrade ends the connection.
      response.once("finish", () => {
        response.detachSocket(socket as never);
        socket.end();
      });
      app.routing(request, response);
    });
    app.addHook("preClose", async () => {
      for (const socket of this.#open) socket.destroy();
    });
  }

  /** Whether the client of this request waits for a WebSocket. */
  isUpgrade(request: FastifyRequest): boolean {
    return this.#upgrades.has(request.raw);
  }

  /** Joins a client to an executor; an answer of the executor's that is no upgrade is passed on. */
  async join(request: FastifyRequest, reply: FastifyReply, executor: Executor): Promise<FastifyReply> {
    const upgrade = this.#upgrades.get(request.raw);
    if (upgrade === undefined) throw new AppError("invalid_request", "This path takes WebSocket connections only.");
    const { origin, serverName } = executor.address;
    const isSecure = origin.startsWith("https:");
    const headers: OutgoingHttpHeaders = {
      ...requestHeaders(request, isSecure),
      ...this.#options.keyHeaders,
      connection: "Upgrade",
      upgrade: "websocket",
    };
    const send = isSecure ? httpsRequest : httpRequest;
    const outgoing = send(origin, {
      path: requestPath(request.url),
      method: "GET",
      headers,
      agent: false,
      signal: executor.lost,
      ...(this.#options.ca === undefined ? {} : { ca: this.#options.ca }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    });
    const answer = await new Promise<{ response: IncomingMessage; joined?: Upgrade }>((resolve, reject) => {
      outgoing.setTimeout(CONNECT_TIMEOUT_MS, () => outgoing.destroy(new Error("the executor did not answer")));
      outgoing.once("upgrade", (response: IncomingMessage, socket: Duplex, head: Buffer) =>
        resolve({ response, joined: { socket, head } }),
      );
      outgoing.once("response", (response) => resolve({ response }));
      outgoing.on("error", reject);
      upgrade.socket.once("close", () => outgoing.destroy());
      outgoing.end();
    }).catch((error: unknown) => {
      throw new AppError("executor_cut_off", undefined, { cause: error });
    });
    const { response, joined } = answer;
    if (response.statusCode === 401) {
      response.resume();
      throw new ExecutorFault(executor.address, 401, "a WebSocket");
    }
    if (joined === undefined)
      return reply
        .status(response.statusCode ?? 502)
        .type(response.headers["content-type"] ?? "text/plain")
        .send(response);
    reply.hijack();
    joined.socket.once("close", executor.begin());
    outgoing.setTimeout(0);
    upgrade.response.detachSocket(upgrade.socket as never);
    pass(upgrade, joined, response, executor.lost);
    return reply;
  }
}

/** Passes bytes both ways, each at the other side's pace, until one side ends. */
function pass(client: Upgrade, executor: Upgrade, response: IncomingMessage, lost: AbortSignal): void {
  const hangUp = (): void => {
    lost.removeEventListener("abort", hangUp);
    client.socket.destroy();
    executor.socket.destroy();
  };
  lost.addEventListener("abort", hangUp);
  for (const { socket } of [client, executor]) socket.once("close", hangUp).on("error", hangUp);
  const lines = [`HTTP/1.1 ${response.statusCode} ${response.statusMessage}`];
  const { rawHeaders } = response;
  for (let index = 0; index < rawHeaders.length; index += 2) lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  client.socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (executor.head.length > 0) executor.socket.unshift(executor.head);
  if (client.head.length > 0) client.socket.unshift(client.head);
  client.socket.pipe(executor.socket);
  executor.socket.pipe(client.socket);
}
