/** An application with nothing behind its doors yet: parsers, errors, keys, origins; a server's or a gateway's. */
import cors from "@fastify/cors";
import fastify, { LogController, type FastifyInstance, type FastifyReply } from "fastify";
import type { Logger } from "pino";
import { registerAuth } from "./auth.ts";
import { registerBodyParsers } from "./body.ts";
import type { Certificate } from "./certificate.ts";
import type { DoorSettings } from "./context.ts";
import { refuseMalformed, registerErrorReplies, sendError } from "./error-reply.ts";
import { createHttpServer } from "./http-server.ts";
import { METHODS } from "./methods.ts";

/** What an application begins with. */
export interface DoorOptions {
  settings: DoorSettings;
  logger: Logger;
  /** Shown to whoever connects; without one the application speaks plain HTTP. */
  certificate?: Certificate | undefined;
  /** Told of every request. */
  onRequest?: () => void;
  /** What has to be registered before everything else. */
  first?: (app: FastifyInstance) => Promise<void>;
}

/** What no answer is: a page with scripts, in a frame or as a picture of another page's. The console and the docs, which are pages, have rules of their own. */
const CONTENT_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/** Builds it. */
export async function openDoors({ settings, logger, certificate, onRequest, first }: DoorOptions): Promise<FastifyInstance> {
  const headers = Object.entries(securityHeaders(settings));
  const secured = (reply: FastifyReply): FastifyReply => {
    // On the answer itself, since streams are not sent by the framework; a route may set its own instead.
    for (const [name, value] of headers) reply.raw.setHeader(name, value);
    return reply;
  };
  const app = fastify({
    // Requests are not worth a line each, but a quieter log stays quiet.
    loggerInstance: logger.child({}, { level: logger.isLevelEnabled("warn") ? "warn" : logger.level }),
    logController: new LogController({ disableRequestLogging: true }),
    return503OnClosing: false,
    // What cannot be routed meets no hook.
    frameworkErrors: (error, request, reply) => void sendError(error, request, secured(reply)),
    clientErrorHandler: refuseMalformed,
    bodyLimit: settings.maxBodyBytes,
    trustProxy: settings.trustedProxies.length > 0 ? settings.trustedProxies : false,
    routerOptions: { maxParamLength: 8192, caseSensitive: true },
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    serverFactory: (handler) => createHttpServer(handler, certificate),
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allowUnionTypes: true,
        allErrors: false,
        verbose: true,
      },
    },
  }) as unknown as FastifyInstance;
  // Serializers compiled from the response schemas would take most of the server's start, and more code than our small answers are worth.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  registerErrorReplies(app);
  await first?.(app);
  app.addHook("onRequest", async (_request, reply) => {
    onRequest?.();
    secured(reply);
  });
  if (settings.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: settings.corsOrigins,
      methods: METHODS,
      exposedHeaders: ["Retry-After", "Content-Disposition", "ETag"],
    });
  }
  registerAuth(app, settings);
  registerBodyParsers(app, settings.maxBodyBytes);
  return app;
}

function securityHeaders({ corsOrigins }: DoorSettings): Record<string, string> {
  return {
    "x-content-type-options": "nosniff",
    "content-security-policy": CONTENT_POLICY,
    "referrer-policy": "no-referrer",
    // Pages that may call the server may also show its pictures, and a browser does not tell who they are.
    ...(corsOrigins.length > 0 ? {} : { "cross-origin-resource-policy": "same-origin" }),
  };
}
