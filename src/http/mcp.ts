/** `/mcp`: hands requests to the Model Context Protocol's own code, behind the same doors as all else. */
import type { IncomingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { requestOrigin } from "./request-origin.ts";

/** Answers a request, whose body it bounds; the signal aborts when the client hangs up. */
export type WebHandler = (request: Request) => Promise<Response>;

/** @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http */
export function mcpRoute(app: FastifyInstance, handle: WebHandler): void {
  app.route({
    method: ["GET", "POST", "DELETE"],
    url: "/mcp",
    config: { rawBody: true },
    schema: { hide: true },
    handler: async (request, reply) => {
      const hungUp = new AbortController();
      reply.raw.once("close", () => hungUp.abort());
      const response = await handle(toWebRequest(request, hungUp.signal));
      // nginx buffers responses unless told not to.
      response.headers.set("x-accel-buffering", "no");
      return reply.send(response);
    },
  });
}

function toWebRequest(request: FastifyRequest, signal: AbortSignal): Request {
  const { method, url, headers, body } = request;
  const init: RequestInit & { duplex?: "half" } = { method, headers: toHeaders(headers), signal };
  if (method === "POST" && body instanceof Readable) {
    init.body = Readable.toWeb(body) as ReadableStream<Uint8Array>;
    // The standard asks for this word wherever a body is a stream.
    init.duplex = "half";
  }
  return new Request(requestOrigin(request) + url, init);
}

function toHeaders(incoming: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming)) {
    for (const each of [value ?? []].flat()) headers.append(name, each);
  }
  return headers;
}
