/** What is asked of the gateway itself: whether it is there and ready, its figures, and what all executors answer alike. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { API_PREFIX, type Health, type Readiness } from "../api/index.ts";
import type { GatewayParts } from "./parts.ts";
import type { Executor } from "./executor.ts";
import { noneReachable } from "./why-unusable.ts";

/** More are not asked for one answer; their figures follow within a second or so. */
const MOST_UPDATED = 32;

/** `/health`, `/ready`, `/metrics`, `/openapi.json`, and the fixed parts of Jupyter's API. */
export function serverRoutes(app: FastifyInstance, { executors, proxy, version, metrics, state }: GatewayParts): void {
  const open = { config: { public: true } };

  app.get(`${API_PREFIX}/health`, open, async (): Promise<Health> => {
    // What went through this gateway counts at once.
    const stale = executors.all().filter(({ isStale }) => isStale);
    await Promise.all(stale.slice(0, MOST_UPDATED).map(async (each) => executors.update(each)));
    return { status: "healthy", version, active_sessions: sum(({ sessions }) => sessions) };
  });

  app.get(`${API_PREFIX}/ready`, open, async (_request, reply) => {
    const all = executors.all();
    const isReady = !state.isEnding && executors.isReady;
    reply.status(isReady ? 200 : 503);
    const figures: Readiness & { executors: number } = {
      status: state.isEnding ? "draining" : isReady ? "ready" : "starting",
      sessions: sum(({ sessions }) => sessions),
      executions: sum(({ executions }) => executions),
      executors: all.length,
    };
    return figures;
  });

  app.get("/metrics", async (_request, reply) => {
    const { type, text } = await metrics.text();
    return reply.type(type).send(text);
  });

  for (const path of ["/openapi.json", "/api", "/api/me", "/tree"]) {
    app.get(path, async (request: FastifyRequest, reply: FastifyReply) => proxy.toExecutor(request, reply, anyExecutor()));
  }

  function anyExecutor(): Executor {
    const reachable = executors.all().filter(({ state: each }) => each !== "away");
    const one = reachable[Math.floor(Math.random() * reachable.length)];
    if (one === undefined) throw noneReachable();
    return one;
  }

  function sum(value: (executor: Executor) => number): number {
    return executors.all().reduce((total, executor) => total + value(executor), 0);
  }
}
