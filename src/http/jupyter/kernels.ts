/** `/api/kernels`: a session is a kernel; one that is started here is a session like any other. */
import type { FastifyInstance } from "fastify";
import { Type } from "typebox";
import { SessionId } from "../../api/index.ts";
import type { HttpContext } from "../context.ts";
import { kernelIdOf } from "./kernel-id.ts";
import type { KernelManager, StartKernelOptions } from "./kernel-manager.ts";
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

/** Lists, starts, shows, interrupts, restarts and ends kernels. */
export function kernelRoutes(app: FastifyInstance, { sessions }: HttpContext, kernels: KernelManager): void {
  const schema = { hide: true };

  app.get("/api/kernels", { schema }, async () => kernels.running().map(kernelModel));

  app.post<{ Body: StartKernelOptions | null }>(
    "/api/kernels",
    { schema: { ...schema, body: Type.Union([StartKernelRequest, Type.Null()]) } },
    async (request, reply) => {
      const session = await kernels.start(request.body ?? {});
      return reply
        .status(201)
        .header("location", `/api/kernels/${kernelIdOf(session.id)}`)
        .send(kernelModel(session));
    },
  );

  app.get<KernelRoute>("/api/kernels/:kernel_id", { schema }, async (request) => kernelModel(kernels.getRunning(request.params.kernel_id)));

  app.delete<KernelRoute>("/api/kernels/:kernel_id", { schema }, async (request, reply) => {
    await kernels.end(kernels.get(request.params.kernel_id));
    return reply.status(204).send();
  });

  app.post<KernelRoute>("/api/kernels/:kernel_id/interrupt", { schema }, async (request, reply) => {
    kernels.getRunning(request.params.kernel_id).guests.interrupt();
    return reply.status(204).send();
  });

  app.post<KernelRoute>("/api/kernels/:kernel_id/restart", { schema }, async (request) => {
    sessions.mustTakeWork();
    const session = kernels.get(request.params.kernel_id);
    await session.restart();
    return kernelModel(session);
  });
}
