/** An application with nothing behind its doors yet: parsers, errors, keys, origins; a server's or a gateway's. */
import cors from "@fastify/cors";
import fastify, { LogController, type FastifyInstance } from "fastify";
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

/** Builds it. */
export async function openDoors({ settings, logger, certificate, onRequest, first }: DoorOptions): Promise<FastifyInstance> {
  const app = fastify({
    // Requests are not worth a line each, but a quieter log stays quiet.
    loggerInstance: logger.child({}, { level: logger.isLevelEnabled("warn") ? "warn" : logger.level }),
    logController: new LogController({ disableRequestLogging: true }),
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
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
    reply.header("x-content-type-options", "nosniff");
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
