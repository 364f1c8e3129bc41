/** `/api/kernels`: a session is a kernel; one that is started here is a session like any other. */
import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { SessionId } from "../../api/index.ts";
import { AppError } from "../../errors.ts";
import type { SessionStore } from "../../session/session-store.ts";
import type { Session } from "../../session/session.ts";
import type { HttpContext } from "../context.ts";
import { kernelIdOf, sessionOfKernel } from "./kernel-id.ts";
import { kernelModel } from "./models.ts";

/** Fields that are Jupyter's and not ours, such as a path below its root, are passed over, as its own server does. */
const StartKernelRequest = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 128 })),
    kernel_id: Type.Optional(Type.Union([SessionId, Type.Null()])),
    env: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: true },
);

interface KernelRoute {
  Params: { kernel_id: string };
}

/** What a kernel is started with. */
export interface StartKernelOptions {
  name?: string | null | undefined;
  kernel_id?: string | null | undefined;
  env?: Record<string, unknown> | undefined;
}

/** Lists, starts, shows, interrupts, restarts and ends kernels. */
export function kernelRoutes(app: FastifyInstance, { sessions }: HttpContext): void {
  const schema = { hide: true };

  app.get("/api/kernels", { schema }, async () =>
    sessions
      .list()
      .filter((session) => session.running)
      .map(kernelModel),
  );

  app.post<{ Body: StartKernelOptions | null }>(
    "/api/kernels",
    { schema: { ...schema, body: Type.Union([StartKernelRequest, Type.Null()]) } },
    async (request, reply) => {
      const session = await startKernel(sessions, request.body ?? {});
      return reply
        .status(201)
        .header("location", `/api/kernels/${kernelIdOf(session.id)}`)
        .send(kernelModel(session));
    },
  );

  app.get<KernelRoute>("/api/kernels/:kernel_id", { schema }, async (request) =>
    kernelModel(runningSession(sessions, request.params.kernel_id)),
  );

  app.delete<KernelRoute>("/api/kernels/:kernel_id", { schema }, async (request, reply) => {
    await sessions.remove(sessionOfKernel(sessions, request.params.kernel_id).id);
    return reply.status(204).send();
  });

  app.post<KernelRoute>("/api/kernels/:kernel_id/interrupt", { schema }, async (request, reply) => {
    runningSession(sessions, request.params.kernel_id).guests.interrupt();
    return reply.status(204).send();
  });

  app.post<KernelRoute>("/api/kernels/:kernel_id/restart", { schema }, async (request) => {
    sessions.mustTakeWork();
    const session = sessionOfKernel(sessions, request.params.kernel_id);
    await session.restart();
    return kernelModel(session);
  });
}

/** A session for a Jupyter client; its id is one that Jupyter takes for a kernel's. */
export async function startKernel(sessions: SessionStore, { name, kernel_id, env }: StartKernelOptions): Promise<Session> {
  const entries = Object.entries(env ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return sessions.create({
    session_id: kernel_id ?? randomUUID(),
    ...(name === undefined || name === null || name === "" ? {} : { kernel: name }),
    env: Object.fromEntries(entries),
  });
}

/** @throws AppError `session_not_found`, also where the session has no kernel now. */
export function runningSession(sessions: SessionStore, kernelId: string): Session {
  const session = sessionOfKernel(sessions, kernelId);
  if (!session.running) throw new AppError("session_not_found", `The kernel ${kernelId.slice(0, 128)} is not running.`);
  return session;
}
