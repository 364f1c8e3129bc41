/** The HTTP application: doors, parsers, routes, errors. Listens nowhere by itself. */
import cors from "@fastify/cors";
import fastify, { LogController, type FastifyInstance } from "fastify";
import { API_PREFIX } from "../api/index.ts";
import { AppError } from "../errors.ts";
import { registerAuth } from "./auth.ts";
import { registerBodyParsers } from "./body.ts";
import { registerConsole } from "./console.ts";
import type { HttpContext } from "./context.ts";
import { registerDocs } from "./docs.ts";
import { refuseMalformed, registerErrorReplies, sendError } from "./error-reply.ts";
import { createHttpServer } from "./http-server.ts";
import { mcpRoute } from "./mcp.ts";
import { metricsRoute } from "./metrics.ts";
import { registerJupyter, registerWebSockets } from "./jupyter/index.ts";
import { registerOpenApi } from "./openapi.ts";
import { executionRoutes } from "./routes/executions.ts";
import { fileRoutes } from "./routes/files.ts";
import { healthRoutes } from "./routes/health.ts";
import { leaseRoutes } from "./routes/leases.ts";
import { notebookRoutes } from "./routes/notebook.ts";
import { pluginRoutes } from "./routes/plugins.ts";
import { sessionRoutes } from "./routes/sessions.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Builds the application over a session store. */
export async function buildApp(context: HttpContext): Promise<FastifyInstance> {
  const { settings } = context;
  const app = fastify({
    // Requests are not worth a line each, but a quieter log stays quiet.
    loggerInstance: context.logger.child({}, { level: context.logger.isLevelEnabled("warn") ? "warn" : context.logger.level }),
    logController: new LogController({ disableRequestLogging: true }),
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
    clientErrorHandler: refuseMalformed,
    bodyLimit: settings.maxBodyBytes,
    trustProxy: settings.trustedProxies.length > 0 ? settings.trustedProxies : false,
    routerOptions: { maxParamLength: 8192, caseSensitive: true },
    exposeHeadRoutes: false,
    forceCloseConnections: "idle",
    serverFactory: (handler) => createHttpServer(handler),
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
  await registerWebSockets(app, context);
  app.addHook("onRequest", async (_request, reply) => {
    context.usage.noteRequest();
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
  const refuseOtherMethods = collectMethods(app);
  await registerOpenApi(app, settings.version);
  registerDocs(app);
  metricsRoute(app, context.metrics);
  await registerConsole(app);
  await registerJupyter(app, context);
  if (context.mcp !== undefined) mcpRoute(app, context.mcp);
  await app.register(
    async (scope) => {
      healthRoutes(scope, context);
      sessionRoutes(scope, context);
      pluginRoutes(scope, context);
      executionRoutes(scope, context);
      fileRoutes(scope, context);
      leaseRoutes(scope, context);
      notebookRoutes(scope, context);
    },
    { prefix: API_PREFIX },
  );
  refuseOtherMethods();
  return app;
}

/** A known path with another method answers 405 and says which it takes (RFC 9110, 15.5.6). */
function collectMethods(app: FastifyInstance): () => void {
  const taken = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method, schema }) => {
    if (schema?.hide === true) return;
    const methods = taken.get(url) ?? new Set<string>();
    for (const one of [method].flat()) methods.add(one);
    taken.set(url, methods);
  });
  return () => {
    for (const [url, methods] of taken) {
      const others = METHODS.filter((method) => !methods.has(method));
      app.route({
        method: others,
        url,
        schema: { hide: true },
        handler: async (_request, reply) => {
          reply.header("allow", [...methods].join(", "));
          throw new AppError("method_not_allowed");
        },
      });
    }
  };
}
