/** Plugins: loaded, tested, unloaded. */
import type { FastifyInstance } from "fastify";
import {
  LoadPluginRequest,
  LoadPluginResponse,
  PluginParams,
  SessionParams,
  TestPluginResponse,
  UnloadPluginResponse,
} from "../../api/index.ts";
import { withoutNulls } from "../body.ts";
import type { HttpContext } from "../context.ts";
import { errors, ref, STARTS_KERNEL } from "../route-schemas.ts";

interface PluginRoute {
  Params: { session_id: string; name: string };
}

/** `/sessions/{session_id}/plugins`. */
export function pluginRoutes(app: FastifyInstance, { sessions }: HttpContext): void {
  const tags = ["plugins"];
  app.post<{ Params: { session_id: string }; Body: LoadPluginRequest }>(
    "/sessions/:session_id/plugins",
    {
      schema: {
        summary: "Load a plugin",
        tags,
        params: SessionParams,
        body: ref(LoadPluginRequest),
        response: { 200: ref(LoadPluginResponse), ...errors(400, 404, ...STARTS_KERNEL) },
      },
    },
    async (request) => {
      sessions.mustTakeWork();
      await sessions.get(request.params.session_id).loadPlugin(withoutNulls(request.body));
      return { name: request.body.name, status: "loaded" };
    },
  );

  app.delete<PluginRoute>(
    "/sessions/:session_id/plugins/:name",
    {
      schema: {
        summary: "Unload a plugin",
        tags,
        params: PluginParams,
        response: { 200: ref(UnloadPluginResponse), ...errors(404, ...STARTS_KERNEL) },
      },
    },
    async (request) => {
      await sessions.get(request.params.session_id).unloadPlugin(request.params.name);
      return { name: request.params.name, status: "unloaded" };
    },
  );

  app.post<PluginRoute>(
    "/sessions/:session_id/plugins/:name/test",
    {
      schema: {
        summary: "Run a plugin's tests",
        tags,
        params: PluginParams,
        response: { 200: ref(TestPluginResponse), ...errors(400, 404, ...STARTS_KERNEL) },
      },
    },
    async (request) => {
      sessions.mustTakeWork();
      return sessions.get(request.params.session_id).testPlugin(request.params.name);
    },
  );
}
