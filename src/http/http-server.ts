/** Node's HTTP server as we need it: uploads of any length, slow clients bounded, and an end that lets answers out. */
import { createServer, IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Certificate } from "./certificate.ts";
import { endsOf, noteConnection } from "./local-client.ts";

/** As Fastify's own: longer than what clients keep unused connections for, so that they, not we, end them. */
const KEEP_ALIVE_MS = 72_000;
const HEADERS_MS = 60_000;
const HANDSHAKE_MS = 10_000;

/** Answers that are under way, by server. */
const answers = new WeakMap<Server, Set<ServerResponse>>();

/** Connections that are no further than their handshake: to Node's server they are not there yet. */
const handshakes = new WeakMap<Server, Map<string, Socket>>();

/**
 * Makes a server that listens nowhere yet.
 * @param certificate With one it speaks TLS, and nothing else.
 */
export function createHttpServer(handler: RequestListener, certificate?: Certificate): Server {
  // The whole of a request may take as long as a large file takes; a body that stops arriving is ended where it is read.
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: 0, IncomingMessage: Request };
  const server = certificate === undefined ? createServer(options, handler) : createSecureServer(options, handler, certificate);
  const underWay = new Set<ServerResponse>();
  answers.set(server, underWay);
  server.on("connection", noteConnection);
  server.prependListener("request", (_request, response) => {
    underWay.add(response);
    response.once("close", () => underWay.delete(response));
  });
  return server;
}

/**
 * A request whose offer of another protocol than WebSocket is passed over, as it may be (RFC 9110, 7.8). Java's client offers HTTP/2 with whatever it
 * sends first, and Node, once anybody takes upgrades, leaves what follows the headers to whoever takes this one: the body would be lost.
 */
class Request extends IncomingMessage {
  /** Set before there are headers, and from within the constructor. */
  declare private isOffered: boolean;

  get upgrade(): boolean {
    return this.isOffered && this.headers.upgrade?.trim().toLowerCase() === "websocket";
  }

  set upgrade(isOffered: boolean) {
    this.isOffered = isOffered;
  }
}

/** Resolves when the answers that are under way are out, or when the time is over; then nobody is connected any more. */
export async function hangUp(servers: readonly Server[], graceMs: number): Promise<void> {
  for (const server of servers) server.closeIdleConnections();
  const waiting = servers.flatMap((server) => [...(answers.get(server) ?? [])]);
  let timer: NodeJS.Timeout | undefined;
  const timeIsOver = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs);
  });
  await Promise.race([timeIsOver, Promise.all(waiting.map(closed))]);
  clearTimeout(timer);
  for (const server of servers) {
    server.closeAllConnections();
    for (const socket of handshakes.get(server)?.values() ?? []) socket.destroy();
  }
}

function createSecureServer(options: ServerOptions, handler: RequestListener, certificate: Certificate): Server {
  const server = createTlsServer({ ...options, ...certificate.pem, handshakeTimeout: HANDSHAKE_MS }, handler);
  certificate.follow(server);
  const underWay = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    const ends = endsOf(socket);
    underWay.set(ends, socket);
    socket.once("close", () => underWay.delete(ends));
  });
  server.on("secureConnection", (socket: TLSSocket) => underWay.delete(endsOf(socket)));
  // It differs from a plain one in what it does before the first request only.
  const plain = server as unknown as Server;
  handshakes.set(plain, underWay);
  return plain;
}

function closed(response: ServerResponse): Promise<void> {
  return response.closed ? Promise.resolve() : new Promise((resolve) => response.once("close", () => resolve()));
}
