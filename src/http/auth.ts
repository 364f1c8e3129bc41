/** The doors: origins, hosts and keys, checked before anything of a request is read. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import type { DoorSettings } from "./context.ts";
import { whyNotLocal } from "./local-client.ts";
import { isOwnOrigin } from "./request-origin.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Answers anyone: the route never reads a key. */
    public?: boolean;
  }
}

/** Guards every route of the app. */
export function registerAuth(app: FastifyInstance, settings: DoorSettings): void {
  const keyDigest = settings.apiKey === null ? undefined : digest(settings.apiKey);
  const allowedOrigins = new Set(settings.corsOrigins);
  app.addHook("onRequest", async (request, reply) => {
    checkOneHost(request);
    checkOrigin(request, allowedOrigins);
    if (request.routeOptions.config.public === true) return;
    await checkKey(request, reply, settings, keyDigest);
  });
}

/** Node takes the first of several; a proxy in front may have taken another (RFC 9112, 3.2). */
function checkOneHost(request: FastifyRequest): void {
  const hosts = (request.raw.headersDistinct as Record<string, string[] | undefined> | undefined)?.["host"];
  if (hosts !== undefined && hosts.length > 1) throw new AppError("host_refused", "A request must have one Host header.");
  const { url = "/" } = request.raw;
  // A whole URL in the first line counts more than the header (RFC 9112, 3.2.2), which alone is looked at from here on.
  if (!url.startsWith("/") && hostOf(url) !== hostOf(`http://${request.headers.host}`))
    throw new AppError("host_refused", "A request must name one host.");
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}

function checkOrigin(request: FastifyRequest, allowedOrigins: Set<string>): void {
  const { origin } = request.headers;
  if (origin === undefined || allowedOrigins.has(origin) || isOwnOrigin(request, origin)) return;
  throw new AppError(
    "origin_refused",
    `Requests from the origin ${JSON.stringify(origin.slice(0, 200))} are refused; cors_origins can allow it.`,
  );
}

async function checkKey(
  request: FastifyRequest,
  reply: FastifyReply,
  settings: DoorSettings,
  keyDigest: Buffer | undefined,
): Promise<void> {
  const sent = sentKey(request);
  if (sent !== undefined && keyDigest !== undefined) {
    if (timingSafeEqual(digest(sent), keyDigest)) return;
    reply.header("www-authenticate", "Bearer");
    throw new AppError("unauthorized", "The API key is wrong.");
  }
  // A server without a key ignores what clients send as one: the local exemption alone decides.
  const reason = settings.requireKey ? "remote" : await whyNotLocal(request.raw.socket, request.headers, settings.onUnixSocket);
  if (reason === undefined) return;
  if (reason === "foreign_host") {
    throw new AppError("host_refused", "Without a key the Host must be localhost, 127.0.0.1 or [::1].");
  }
  reply.header("www-authenticate", "Bearer");
  throw new AppError("unauthorized");
}

/** `X-API-Key`, `Authorization: Bearer KEY` or `token KEY`, and `?token=` on WebSockets, as Jupyter's clients send it. */
function sentKey(request: FastifyRequest): string | undefined {
  const header = request.headers["x-api-key"];
  // Clients without a key may send the header all the same, empty.
  if (typeof header === "string" && header !== "") return header;
  const authorization = /^(?:bearer|token) +(.+)$/i.exec(request.headers.authorization ?? "");
  if (authorization?.[1] !== undefined) return authorization[1];
  if (request.headers.upgrade?.toLowerCase() !== "websocket") return undefined;
  const { token } = request.query as { token?: unknown };
  return typeof token === "string" ? token : undefined;
}

/** Digests have one length, so that comparing them in constant time tells nothing of the key's. */
function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
