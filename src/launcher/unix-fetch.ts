/** A `fetch` over a Unix socket, for servers without a port. */
import { constants, openSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { basename, dirname } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Fetch } from "../client/index.ts";

const NO_BODY_STATUSES = new Set([101, 204, 205, 304]);

/**
 * Makes a `fetch` whose every connection goes to a Unix socket, whatever host the URL names.
 * It follows no redirects and unpacks nothing.
 * @param socketPath Path of the socket.
 */
export function unixFetch(socketPath: string): Fetch {
  const connectable = shortenedOnce(socketPath);
  return async (url, init) => {
    const asked = new Request(url, init);
    const { pathname, search } = new URL(url);
    // A body that is given whole has a length; a stream is sent in chunks.
    const body = init.body instanceof ReadableStream || asked.body === null ? asked.body : Buffer.from(await asked.arrayBuffer());
    const headers = Object.fromEntries(asked.headers);
    if (Buffer.isBuffer(body)) headers["content-length"] = String(body.length);
    const message = await send({ socketPath: connectable(), path: pathname + search, method: asked.method, headers }, body, asked.signal);
    return toResponse(message);
  };
}

/** What the system takes as the path of a socket. */
const MAX_SOCKET_PATH_BYTES = 107;

/** Gives the path to connect to: of one that is too long, its name in the folder, which Linux lets be named by a descriptor. */
function shortenedOnce(socketPath: string): () => string {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH_BYTES || process.platform !== "linux") return () => socketPath;
  let folder: number | undefined;
  return () => {
    // Open as long as the process is: one descriptor for each server that is spoken to.
    folder ??= openSync(dirname(socketPath), constants.O_RDONLY | constants.O_DIRECTORY);
    return `/proc/self/fd/${folder}/${basename(socketPath)}`;
  };
}

interface Target {
  socketPath: string;
  path: string;
  method: string;
  headers: Record<string, string>;
}

function send(target: Target, body: Buffer | ReadableStream | null, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // The signal also ends the body of the answer.
    const request = httpRequest({ ...target, signal, headers: { host: "localhost", ...target.headers } });
    request.once("response", resolve);
    request.on("error", reject);
    if (body instanceof ReadableStream) pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), request).catch(reject);
    else request.end(body ?? undefined);
  });
}

function toResponse(message: IncomingMessage): Response {
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    for (const each of Array.isArray(value) ? value : [value ?? ""]) headers.append(name, each);
  }
  const isEmpty = NO_BODY_STATUSES.has(status);
  if (isEmpty) message.resume();
  // A connection that is cut must end the body with an error, never look like its end; Node's own bridge sees to that.
  const body = isEmpty ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>);
  return new Response(body, { status, statusText: message.statusMessage ?? "", headers });
}
