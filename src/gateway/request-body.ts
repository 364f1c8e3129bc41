/** The body of a request on its way through: small ones can be sent twice, others only pass. */
import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";

/** Bytes that can be sent again, a stream that cannot, or nothing. */
export type RequestBody = Buffer | Readable | undefined;

/** Of a body that is kept until its answer begins. */
const MOST_KEPT_BYTES = 1024 * 1024;

/** Takes the body; only one that says that it is small is waited for. */
export async function takeBody(request: FastifyRequest): Promise<RequestBody> {
  const { body, headers } = request;
  if (!(body instanceof Readable)) return undefined;
  const length = headers["content-length"];
  if (length === undefined) return headers["transfer-encoding"] === undefined ? undefined : body;
  if (Number(length) > MOST_KEPT_BYTES) return body;
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What an executor is told of the body's length, where it cannot be seen. */
export function lengthHeaders(request: FastifyRequest, body: RequestBody): Record<string, string> {
  const length = request.headers["content-length"];
  return body instanceof Readable && length !== undefined ? { "content-length": length } : {};
}
