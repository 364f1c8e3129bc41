/** The contract's routes at the gateway: sessions are made and listed here, all else of one goes to its executor. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  API_PREFIX,
  CreateSessionRequest,
  ExecutionParams,
  LeaseParams,
  SessionParams,
  type SessionInfo,
  type SessionList,
} from "../api/index.ts";
import { askAll } from "./all-executors.ts";
import type { GatewayParts } from "./parts.ts";
import { forwardJson } from "./forward.ts";
import type { MadeSession } from "./session-maker.ts";
import { passing } from "./request-body.ts";
import { goneSignal, passOn } from "./session-proxy.ts";
import { proxyStream, type StreamRoute } from "./stream-proxy.ts";

interface SessionRoute {
  Params: { session_id: string };
}

const SESSION = `${API_PREFIX}/sessions/:session_id`;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** `/sessions` and all below it, and `/leases`. */
export function sessionRoutes(app: FastifyInstance, { executors, calls, finder, maker, proxy }: GatewayParts): void {
  app.post<{ Body: CreateSessionRequest }>(`${API_PREFIX}/sessions`, { schema: { body: CreateSessionRequest } }, async (request, reply) => {
    const signal = goneSignal(reply);
    const made = await maker.make(
      {
        id: request.body.session_id,
        requires: request.body.requires ?? [],
        send: async (executor) => forwardJson(calls, executor, request, { json: request.body, signal }),
      },
      signal,
    );
    return answerMade(reply, made, request.body.session_id);
  });

  app.get(`${API_PREFIX}/sessions`, async () => {
    const { answers, missing } = await askAll<SessionList>(executors, calls, `${API_PREFIX}/sessions`);
    const sessions = answers.flatMap(({ answer }) => answer.sessions);
    sessions.sort((one, other) => (one.created_at < other.created_at ? -1 : 1));
    return { sessions, ...(missing === 0 ? {} : { missing_executors: missing }) };
  });

  app.get<StreamRoute>(`${SESSION}/execute/:exec_id/stream`, { schema: { params: ExecutionParams } }, async (request, reply) =>
    proxyStream(request, reply, { proxy, executors }),
  );

  const handler = async (request: FastifyRequest<SessionRoute>, reply: FastifyReply) =>
    proxy.handle(request, reply, request.params.session_id);
  for (const url of [SESSION, `${SESSION}/*`]) {
    app.route<SessionRoute>({ method: METHODS, url, ...passing, schema: { params: SessionParams }, handler });
  }

  app.route<{ Params: { lease_id: string } }>({
    method: METHODS,
    url: `${API_PREFIX}/leases/:lease_id`,
    ...passing,
    schema: { params: LeaseParams },
    handler: async (request, reply) => proxy.toExecutor(request, reply, await finder.home(request.params.lease_id)),
  });

  async function answerMade(reply: FastifyReply, { executor, answer, wasRepeated }: MadeSession, id: string): Promise<FastifyReply> {
    executor.isStale = true;
    if (answer.statusCode !== 409 || !wasRepeated) return passOn(reply, answer);
    // The first copy of the request made the session; only its answer was lost.
    await answer.body.dump();
    const { cwd } = await calls.json<SessionInfo>(executor.address, "GET", `${API_PREFIX}/sessions/${id}`);
    return reply.status(201).send({ session_id: id, status: "created", cwd });
  }
}
