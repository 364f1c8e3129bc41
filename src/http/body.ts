/** How bodies are read: JSON where a schema waits for it, a raw stream where a file is put, nothing elsewhere. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The body is a file: it is not parsed, and only the disk bounds it. */
    rawBody?: boolean;
  }
}

const MAX_JSON_DEPTH = 100;

/** Installs the parsers. */
export function registerBodyParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (request: FastifyRequest, body: Buffer) => {
    if (request.routeOptions.config.rawBody === true) return body;
    if (!readsBody(request)) return undefined;
    return parseJson(body);
  });
  app.addContentTypeParser("*", async (request: FastifyRequest, payload: NodeJS.ReadableStream) => {
    if (request.routeOptions.config.rawBody === true) return payload;
    if (readsBody(request)) throw new AppError("unsupported_media_type");
    payload.resume();
    return undefined;
  });
  // A body without a content type is handed to no parser; where one is awaited its absence would be told as a missing field.
  app.addHook("preValidation", async (request) => {
    if (!readsBody(request) || request.body !== undefined) return;
    const { "content-type": type, "content-length": length, "transfer-encoding": encoding } = request.headers;
    if (type === undefined && ((length !== undefined && length !== "0") || encoding !== undefined))
      throw new AppError("unsupported_media_type");
  });
}

/** Drops null fields at the top: null means absent. Call on a validated body. */
export function withoutNulls<T extends object>(body: T): { [K in keyof T]: Exclude<T[K], null> } {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as { [K in keyof T]: Exclude<T[K], null> };
}

function readsBody(request: FastifyRequest): boolean {
  return request.routeOptions.schema?.body !== undefined;
}

/** An empty body with a JSON content type is no body: existing clients send that type with every request. */
function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    const why = error instanceof SyntaxError ? `: ${error.message.slice(0, 200)}` : " in UTF-8";
    throw new AppError("invalid_json", `The request body is not valid JSON${why}.`, { cause: error });
  }
  if (isTooDeep(value)) throw new AppError("invalid_json", `The request body is nested deeper than ${MAX_JSON_DEPTH} levels.`);
  return value;
}

/** Writing or validating deeper JSON again would overflow the stack. */
function isTooDeep(root: unknown): boolean {
  let level = [root].filter(isContainer);
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_JSON_DEPTH) return true;
    level = level.flatMap((value) => Object.values(value)).filter(isContainer);
  }
  return false;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
