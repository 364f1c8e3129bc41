/** The server's scheme and host as the client of one request sees them: the forwarded ones only from named proxies. */
import type { FastifyRequest } from "fastify";

/** E.g. `http://localhost:8000`. Fastify believes forwarding headers only from the proxies it was told to trust. */
export function requestOrigin(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`;
}

/** Whether an `Origin` header is the server's own address as this client sees it. */
export function isOwnOrigin(request: FastifyRequest, origin: string): boolean {
  return normalized(origin) !== undefined && normalized(origin) === normalized(requestOrigin(request));
}

/** Lower case, without the scheme's default port; undefined for `null` and what is no origin. */
function normalized(origin: string): string | undefined {
  try {
    const url = new URL(origin);
    return url.origin === "null" ? undefined : url.origin;
  } catch {
    return undefined;
  }
}
