/** The body of a request on its way through: small ones can be sent twice, others only pass. */
import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";

/** Bytes that can be sent again, a stream that cannot, or nothing. */
export type RequestBody = Buffer | Readable | undefined;

/** Configures a route whose bodies pass; one that says that it is at most 1 MiB is kept until its answer begins. */
export const passing = { config: { rawBody: true, wholeBodyBytes: 1024 * 1024 } };

/** The body of a request to such a route. */
export function bodyOf({ body, headers }: FastifyRequest): RequestBody {
  if (Buffer.isBuffer(body)) return body;
  if (!(body instanceof Readable)) return undefined;
  return headers["content-length"] === undefined && headers["transfer-encoding"] === undefined ? undefined : body;
}

/** What an executor is told of the body's length, where it cannot be seen. */
export function lengthHeaders(request: FastifyRequest, body: RequestBody): Record<string, string> {
  const length = request.headers["content-length"];
  return body instanceof Readable && length !== undefined ? { "content-length": length } : {};
}
