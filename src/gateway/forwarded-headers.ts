/** Headers on their way through the gateway: what is meant for one connection stays behind, and keys never travel on. */
import type { IncomingHttpHeaders } from "node:http";
import type { FastifyRequest } from "fastify";

/** @see RFC 9110, 7.6.1 */
const OF_ONE_CONNECTION = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What the gateway has answered for, or says in its own words. */
const OF_THE_CLIENT = new Set([
  "x-api-key",
  "authorization",
  "cookie",
  "origin",
  "host",
  "expect",
  "content-length",
  "forwarded",
  "x-real-ip",
]);

const SCHEME_AND_HOST = /^https?:\/\/[^/?]*/i;

/**
 * The headers of a client's request as its executor gets them.
 * @param isSecure Whether the executor has a certificate: its name has then to be in the request.
 */
export function requestHeaders(request: FastifyRequest, isSecure: boolean): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value === undefined || isHopByHop(name, request.headers) || OF_THE_CLIENT.has(name) || name.startsWith("x-forwarded-")) continue;
    headers[name] = value;
  }
  headers["x-forwarded-for"] = request.ip;
  headers["x-forwarded-proto"] = request.protocol;
  headers["x-forwarded-host"] = request.host;
  // So that addresses in answers are those of the gateway, also where the executor was not told to believe what is forwarded.
  if (!isSecure) headers["host"] = request.host;
  return headers;
}

/** The headers of an executor's answer as the client gets them. */
export function answerHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !isHopByHop(name, headers)) kept[name] = value;
  }
  return kept;
}

/**
 * The path of a request with its query, without a key in it, however that is written.
 * @param target As the client sent it: a path, or a whole URL (RFC 9112, 3.2.2), of which routes are found by the path alone.
 */
export function requestPath(target: string): string {
  // Which executor is called is never the client's word.
  const url = target.replace(SCHEME_AND_HOST, "").replace(/^(?!\/)/, "/");
  const mark = url.indexOf("?");
  if (mark === -1) return url;
  const query = url
    .slice(mark + 1)
    .split("&")
    .filter((part) => !isToken(part));
  return url.slice(0, mark) + (query.length === 0 ? "" : `?${query.join("&")}`);
}

function isToken(part: string): boolean {
  return new URLSearchParams(part).has("token");
}

function isHopByHop(name: string, headers: IncomingHttpHeaders): boolean {
  return OF_ONE_CONNECTION.has(name) || namedByConnection(headers["connection"]).includes(name);
}

function namedByConnection(connection: string | undefined): string[] {
  if (connection === undefined || connection === "keep-alive" || connection === "close") return [];
  return connection.split(",").map((name) => name.trim().toLowerCase());
}
