/** Node's HTTP server as we need it: uploads of any length, slow clients bounded, and an end that lets answers out. */
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { noteConnection } from "./local-client.ts";

/** As Fastify's own: longer than what clients keep unused connections for, so that they, not we, end them. */
const KEEP_ALIVE_MS = 72_000;
const HEADERS_MS = 60_000;

/** Answers that are under way, by server. */
const answers = new WeakMap<Server, Set<ServerResponse>>();

/** Makes a server that listens nowhere yet. */
export function createHttpServer(handler: RequestListener): Server {
  // The whole of a request may take as long as a large file takes; a body that stops arriving is ended where it is read.
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: 0 }, handler);
  const underWay = new Set<ServerResponse>();
  answers.set(server, underWay);
  server.on("connection", noteConnection);
  server.prependListener("request", (_request, response) => {
    underWay.add(response);
    response.once("close", () => underWay.delete(response));
  });
  return server;
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
  for (const server of servers) server.closeAllConnections();
}

function closed(response: ServerResponse): Promise<void> {
  return response.closed ? Promise.resolve() : new Promise((resolve) => response.once("close", () => resolve()));
}
