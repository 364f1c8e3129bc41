/** Is the server there, and may it be sent work. */
import type { FastifyInstance } from "fastify";
import { Health, Readiness } from "../../api/index.ts";
import type { HttpContext } from "../context.ts";
import { machineFigures } from "../machine-figures.ts";
import { ref } from "../route-schemas.ts";

/** `/health` and `/ready`; neither reads a key. */
export function healthRoutes(app: FastifyInstance, { sessions, settings, isStarting }: HttpContext): void {
  app.get(
    "/health",
    { config: { public: true }, schema: { summary: "Health check", tags: ["server"], security: [], response: { 200: ref(Health) } } },
    async () => ({ status: "healthy", version: settings.version, active_sessions: sessions.count }),
  );
  app.get(
    "/ready",
    {
      config: { public: true },
      schema: {
        summary: "Whether new work is taken",
        tags: ["server"],
        security: [],
        response: { 200: ref(Readiness), 503: ref(Readiness) },
      },
    },
    async (_request, reply) => {
      const isDraining = sessions.draining !== undefined;
      const status = isDraining ? "draining" : isStarting?.() === true ? "starting" : "ready";
      reply.status(status === "ready" ? 200 : 503);
      return {
        status,
        sessions: sessions.count,
        executions: sessions.executingCount,
        ...(isDraining ? { drains_for: Math.max(0, ((sessions.draining ?? 0) - Date.now()) / 1000) } : {}),
        instance: settings.instance,
        labels: settings.labels,
        kernels: sessions.runningCount,
        max_sessions: sessions.maxSessions,
        ...machineFigures(),
      };
    },
  );
}
