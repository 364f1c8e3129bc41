/** Claims: what gateways ask and tell an executor about where sessions are. */
import type { FastifyInstance } from "fastify";
import { Claim, ClaimLists, ClaimParams, ClaimQuery, ClaimRequest, HeldSessions } from "../../api/index.ts";
import { ClaimTable } from "../claim-table.ts";
import type { HttpContext } from "../context.ts";
import { kernelIdOf } from "../jupyter/kernel-id.ts";
import { errors, ref } from "../route-schemas.ts";

interface ClaimRoute {
  Params: { session_id: string };
}

/** `/claims` and `/claims/{session_id}`. */
export function claimRoutes(app: FastifyInstance, { sessions, settings }: HttpContext): void {
  const tags = ["claims"];
  const claims = new ClaimTable();

  app.get<ClaimRoute>(
    "/claims/:session_id",
    {
      schema: {
        summary: "Who holds a session, for gateways",
        tags,
        params: ClaimParams,
        response: { 200: ref(Claim), ...errors() },
      },
    },
    async (request) => claimOf(request.params.session_id),
  );

  app.put<ClaimRoute & { Body: ClaimRequest }>(
    "/claims/:session_id",
    {
      schema: {
        summary: "Claim a session for an executor unless another has it",
        tags,
        params: ClaimParams,
        body: ref(ClaimRequest),
        response: { 200: ref(Claim), ...errors() },
      },
    },
    async (request) => {
      const { executor, at, replaces } = request.body;
      if (at) claims.noteAddress(executor, at);
      claims.claim(request.params.session_id, executor, replaces ?? undefined);
      return claimOf(request.params.session_id);
    },
  );

  app.delete<ClaimRoute & { Querystring: { executor: string } }>(
    "/claims/:session_id",
    {
      schema: {
        summary: "Forget a claim of an executor",
        tags,
        params: ClaimParams,
        querystring: ClaimQuery,
        response: { 200: ref(Claim), ...errors() },
      },
    },
    async (request) => {
      claims.remove(request.params.session_id, request.query.executor);
      return claimOf(request.params.session_id);
    },
  );

  app.get(
    "/claims",
    { schema: { summary: "The sessions that this executor holds, for gateways", tags, response: { 200: ref(HeldSessions), ...errors() } } },
    async () => ({ executor: settings.instance, sessions: sessions.list().map(({ id }) => id), draining: claims.draining() }),
  );

  app.post<{ Body: ClaimLists }>(
    "/claims",
    {
      schema: {
        summary: "Write down who holds which sessions",
        tags,
        body: ref(ClaimLists),
        response: { 200: ref(ClaimLists), ...errors() },
      },
    },
    async (request) => {
      for (const { executor, at, sessions: ids } of request.body.claims) {
        if (at) claims.noteAddress(executor, at);
        for (const id of ids) claims.set(id, executor);
      }
      return request.body;
    },
  );

  /** @param id A session's, or its kernel's. */
  function claimOf(id: string): Claim {
    const all = sessions.list();
    const isKernelId = kernelIdOf(id) === id;
    const held = all.find((session) => session.id === id) ?? (isKernelId ? all.find((each) => kernelIdOf(each.id) === id) : undefined);
    const claim = claims.get(id);
    const at = claims.addressOf(claim?.executor ?? "");
    return {
      session_id: held?.id ?? claim?.sessionId ?? id,
      executor: claim?.executor ?? null,
      ...(at === undefined ? {} : { at }),
      is_held: held !== undefined,
    };
  }
}
