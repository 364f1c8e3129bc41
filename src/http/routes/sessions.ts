/** Sessions: made, seen, restarted, ended; their variables; completion. */
import type { FastifyInstance } from "fastify";
import {
  CompleteRequest,
  CompleteResponse,
  CreateSessionRequest,
  CreateSessionResponse,
  SessionInfo,
  SessionList,
  SessionParams,
  StopSessionResponse,
  UpdateVariablesRequest,
  UpdateVariablesResponse,
} from "../../api/index.ts";
import { withoutNulls } from "../body.ts";
import type { HttpContext } from "../context.ts";
import { errors, ref, STARTS_KERNEL } from "../route-schemas.ts";

interface SessionRoute {
  Params: { session_id: string };
}

/** `/sessions` and `/sessions/{session_id}`. */
export function sessionRoutes(app: FastifyInstance, { sessions }: HttpContext): void {
  const tags = ["sessions"];
  app.post<{ Body: CreateSessionRequest }>(
    "/sessions",
    {
      schema: {
        summary: "Create a session",
        tags,
        body: ref(CreateSessionRequest),
        response: { 201: ref(CreateSessionResponse), ...errors(409, ...STARTS_KERNEL) },
      },
    },
    async (request, reply) => {
      const session = await sessions.create(withoutNulls(request.body));
      const { cwd, cwdRequested } = session.workspace;
      reply.status(201);
      return { session_id: session.id, status: "created", cwd, ...(cwdRequested === undefined ? {} : { cwd_requested: cwdRequested }) };
    },
  );

  app.get("/sessions", { schema: { summary: "List the sessions", tags, response: { 200: ref(SessionList), ...errors() } } }, async () => ({
    sessions: sessions.list().map((session) => session.info),
  }));

  app.get<SessionRoute>(
    "/sessions/:session_id",
    { schema: { summary: "Session info", tags, params: SessionParams, response: { 200: ref(SessionInfo), ...errors(404) } } },
    async (request) => sessions.get(request.params.session_id).info,
  );

  app.delete<SessionRoute>(
    "/sessions/:session_id",
    {
      schema: {
        summary: "Stop and remove a session",
        tags,
        params: SessionParams,
        response: { 200: ref(StopSessionResponse), ...errors(404) },
      },
    },
    async (request) => {
      await sessions.remove(request.params.session_id);
      return { session_id: request.params.session_id, status: "stopped" };
    },
  );

  app.post<SessionRoute>(
    "/sessions/:session_id/restart",
    {
      schema: {
        summary: "Give the session a fresh kernel",
        tags,
        params: SessionParams,
        response: { 200: ref(SessionInfo), ...errors(404, ...STARTS_KERNEL) },
      },
    },
    async (request) => {
      sessions.mustTakeWork();
      const session = sessions.get(request.params.session_id);
      await session.restart();
      return session.info;
    },
  );

  app.post<SessionRoute & { Body: CompleteRequest }>(
    "/sessions/:session_id/complete",
    {
      schema: {
        summary: "What could stand at the cursor",
        tags,
        params: SessionParams,
        body: ref(CompleteRequest),
        response: { 200: ref(CompleteResponse), ...errors(404) },
      },
    },
    async (request) => sessions.get(request.params.session_id).complete(request.body),
  );

  app.post<SessionRoute & { Body: UpdateVariablesRequest }>(
    "/sessions/:session_id/variables",
    {
      schema: {
        summary: "Update session variables",
        tags,
        params: SessionParams,
        body: ref(UpdateVariablesRequest),
        response: { 200: ref(UpdateVariablesResponse), ...errors(404) },
      },
    },
    async (request) => {
      await sessions.get(request.params.session_id).updateVariables(request.body.variables);
      return { status: "updated", variables: request.body.variables };
    },
  );
}
