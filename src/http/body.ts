/** How bodies are read: JSON where a schema waits for it, a raw stream where a file is put, nothing elsewhere. */
import type { IncomingMessage } from "node:http";
import { finished, Readable } from "node:stream";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import { checkJsonShape } from "./json-shape.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The body is a file: it is not parsed, and only the disk bounds it. */
    rawBody?: boolean;
    /** With `rawBody`: a body that says that it is at most so long comes whole, as a Buffer. */
    wholeBodyBytes?: number;
  }
}

/** A client that sends nothing for so long has been lost, or means harm. */
const STALLED_BODY_MS = 60_000;

/** Installs the parsers. @param maxBytes Of a body that is parsed. */
export function registerBodyParsers(app: FastifyInstance, maxBytes: number): void {
  app.removeAllContentTypeParsers();
  const parser = (isJson: boolean) => async (request: FastifyRequest, payload: IncomingMessage) => {
    const { config, schema } = request.routeOptions;
    const isRead = schema?.body !== undefined;
    if (config.rawBody !== true && !isRead) {
      payload.resume();
      return undefined;
    }
    if ((request.headers["content-encoding"] ?? "identity") !== "identity")
      throw new AppError("unsupported_media_type", "Send the body without a Content-Encoding.");
    const isWhole = Number(request.headers["content-length"]) <= (config.wholeBodyBytes ?? -1);
    if (config.rawBody === true && isWhole) return readAll(payload, config.wholeBodyBytes ?? 0);
    if (config.rawBody === true) return Readable.from(chunksOf(payload), { objectMode: false });
    if (!isJson) throw new AppError("unsupported_media_type");
    return parseJson(await readAll(payload, maxBytes));
  };
  app.addContentTypeParser("application/json", parser(true));
  // This one also gets what comes without a content type.
  app.addContentTypeParser("*", parser(false));
}

/** Drops null fields at the top: null means absent. Call on a validated body. */
export function withoutNulls<T extends object>(body: T): { [K in keyof T]: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as { [K in keyof T]: Exclude<T[K], null> };
}

/**
 * The whole body. One that is too large is still taken, up to twice the limit: a client that is cut off while it sends never reads why.
 * @throws AppError `body_too_large`.
 */
async function readAll(payload: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = (): AppError => new AppError("body_too_large", `The request body is larger than ${maxBytes} bytes.`);
  if (Number(payload.headers["content-length"] ?? 0) > 2 * maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  // Most bodies are one chunk, which is here already; iterating over them would cost each request several turns of the event loop.
  await eachChunk(payload, (chunk) => {
    length += chunk.length;
    if (length <= maxBytes) chunks.push(chunk);
    else chunks.length = 0;
    return length <= 2 * maxBytes;
  });
  if (length > maxBytes) throw tooLarge();
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
}

/** Gives each chunk to `take`; resolves at the end, or where it returns false, and then the rest stays unread. */
async function eachChunk(payload: IncomingMessage, take: (chunk: Buffer) => boolean): Promise<void> {
  const stalled = startStalledTimer(payload);
  let onData: ((chunk: Buffer) => void) | undefined;
  let stopWatching = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      onData = (chunk) => {
        stalled.refresh();
        if (!take(chunk)) resolve();
      };
      stopWatching = finished(payload, { writable: false }, (error) => (error instanceof Error ? reject(error) : resolve()));
      payload.on("data", onData);
    });
  } finally {
    clearTimeout(stalled);
    stopWatching();
    // Who stops reading still has an answer to give.
    if (onData !== undefined) payload.off("data", onData);
    if (!payload.readableEnded) payload.pause();
  }
}

/** An empty body with a JSON content type is no body: existing clients send that type with every request. */
function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  checkJsonShape(body);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    const why = error instanceof SyntaxError ? `: ${error.message.slice(0, 200)}` : " in UTF-8";
    throw new AppError("invalid_json", `The request body is not valid JSON${why}.`, { cause: error });
  }
}

/** The body as it arrives, as long as it does. */
async function* chunksOf(payload: IncomingMessage): AsyncGenerator<Buffer> {
  const stalled = startStalledTimer(payload);
  try {
    // Who stops reading still has an answer to give.
    for await (const chunk of payload.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      stalled.refresh();
      yield chunk;
    }
  } finally {
    clearTimeout(stalled);
  }
}

function startStalledTimer(payload: IncomingMessage): NodeJS.Timeout {
  const end = (): void => void payload.destroy(new AppError("invalid_request", "The request's body stopped arriving."));
  return setTimeout(end, STALLED_BODY_MS);
}
