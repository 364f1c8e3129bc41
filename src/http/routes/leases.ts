/** Leases: clients hold a server that a client started, so that it ends when nobody does. */
import type { FastifyInstance } from "fastify";
import { Lease, LeaseParams, LeaseRequest } from "../../api/index.ts";
import type { HttpContext } from "../context.ts";
import { errors, ref } from "../route-schemas.ts";

interface LeaseRoute {
  Params: { lease_id: string };
}

/** `/leases/{lease_id}`. */
export function leaseRoutes(app: FastifyInstance, { usage }: HttpContext): void {
  const tags = ["leases"];
  app.post<LeaseRoute & { Body: LeaseRequest }>(
    "/leases/:lease_id",
    {
      schema: {
        summary: "Take a lease",
        tags,
        params: LeaseParams,
        body: ref(LeaseRequest),
        response: { 201: ref(Lease), ...errors() },
      },
    },
    async (request, reply) => {
      usage.takeLease(request.params.lease_id, request.body.seconds);
      reply.status(201);
      return { lease_id: request.params.lease_id, seconds: request.body.seconds };
    },
  );

  app.put<LeaseRoute & { Body: LeaseRequest }>(
    "/leases/:lease_id",
    {
      schema: {
        summary: "Renew a lease",
        tags,
        params: LeaseParams,
        body: ref(LeaseRequest),
        response: { 200: ref(Lease), ...errors(404) },
      },
    },
    async (request) => {
      usage.renewLease(request.params.lease_id, request.body.seconds);
      return { lease_id: request.params.lease_id, seconds: request.body.seconds };
    },
  );

  app.delete<LeaseRoute>(
    "/leases/:lease_id",
    { schema: { summary: "Give a lease back", tags, params: LeaseParams, response: { 200: ref(Lease), ...errors(404) } } },
    async (request) => ({ lease_id: request.params.lease_id, seconds: usage.endLease(request.params.lease_id) }),
  );
}
