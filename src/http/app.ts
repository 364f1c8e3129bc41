/** The HTTP application: all routes behind the doors. Listens nowhere by itself. */
import type { FastifyInstance } from "fastify";
import { API_PREFIX } from "../api/index.ts";
import { AppError } from "../errors.ts";
import { registerConsole } from "./console.ts";
import type { Certificate } from "./certificate.ts";
import type { HttpContext } from "./context.ts";
import { registerDocs } from "./docs.ts";
import { openDoors } from "./doors.ts";
import { collectMethods } from "./methods.ts";
import { mcpRoute } from "./mcp.ts";
import { metricsRoute } from "./metrics.ts";
import { registerJupyter, registerWebSockets } from "./jupyter/index.ts";
import { registerOpenApi } from "./openapi.ts";
import { claimRoutes } from "./routes/claims.ts";
import { executionRoutes } from "./routes/executions.ts";
import { fileRoutes } from "./routes/files.ts";
import { healthRoutes } from "./routes/health.ts";
import { leaseRoutes } from "./routes/leases.ts";
import { notebookRoutes } from "./routes/notebook.ts";
import { pluginRoutes } from "./routes/plugins.ts";
import { sessionRoutes } from "./routes/sessions.ts";

/**
 * Builds the application over a session store.
 * @param certificate With one it speaks TLS.
 */
export async function buildApp(context: HttpContext, certificate?: Certificate): Promise<FastifyInstance> {
  const { settings } = context;
  const app = await openDoors({
    settings,
    logger: context.logger,
    certificate,
    onRequest: () => context.usage.noteRequest(),
    first: async (each) => {
      context.traces?.watch(each);
      await registerWebSockets(each, context);
    },
  });
  app.addHook("onRequest", async (request) => {
    // What is known of sessions is not yet whole: to answer now would be to forget some.
    if (context.isStarting?.() === true && request.routeOptions.config.public !== true)
      throw new AppError("starting", undefined, { retryAfterSeconds: 1 });
  });
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
      claimRoutes(scope, context);
    },
    { prefix: API_PREFIX },
  );
  refuseOtherMethods();
  return app;
}
