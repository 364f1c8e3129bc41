/** Executions: run and wait, or run and stream; seen, interrupted, answered. */
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  API_PREFIX,
  ExecuteRequest,
  ExecutionList,
  ExecutionParams,
  ExecutionResult,
  ExecutionStatus,
  InputRequest,
  InputResponse,
  SessionParams,
  StreamEvent,
  StreamingStarted,
  StreamQuery,
} from "../../api/index.ts";
import { AppError } from "../../errors.ts";
import type { Execution } from "../../session/execution.ts";
import type { Reader } from "../../session/result.ts";
import { resultText } from "../../session/result-text.ts";
import type { HttpContext } from "../context.ts";
import { errors, eventStream, ref } from "../route-schemas.ts";
import { requestOrigin } from "../request-origin.ts";
import { streamExecution } from "../sse.ts";

interface ExecutionRoute {
  Params: { session_id: string; exec_id: string };
}

const JSON_TYPE = "application/json; charset=utf-8";
const tags = ["executions"];

/** `/sessions/{session_id}/execute` and `/executions`. */
export function executionRoutes(app: FastifyInstance, context: HttpContext): void {
  const { sessions } = context;
  app.post<{ Params: { session_id: string }; Body: ExecuteRequest }>(
    "/sessions/:session_id/execute",
    {
      schema: {
        summary: "Execute code",
        tags,
        params: SessionParams,
        body: ref(ExecuteRequest),
        response: { 200: ref(ExecutionResult), 202: ref(StreamingStarted), ...errors(404, 409, 429) },
      },
    },
    async (request, reply) => {
      sessions.mustTakeWork();
      const { session_id } = request.params;
      const { exec_id, code, stream, timeout, allow_input } = request.body;
      const key = request.headers["idempotency-key"];
      const body = { exec_id, code, stream: stream === true, timeout: timeout ?? null, allow_input: allow_input === true };
      const execution = sessions.get(session_id).execute(
        {
          executionId: exec_id,
          code,
          timeoutMs: typeof timeout === "number" ? timeout * 1000 : undefined,
          allowInput: body.allow_input,
        },
        typeof key === "string" && key !== "" ? { key, body } : undefined,
      );
      if (stream === true) {
        reply.status(202);
        return { execution_id: exec_id, stream_url: `${API_PREFIX}/sessions/${session_id}/execute/${exec_id}/stream` };
      }
      // Where the session ends meanwhile its answer is still to be read.
      const release = execution.journal.hold();
      reply.raw.once("close", release);
      await Promise.race([execution.done, execution.left.then(refuseLeft)]);
      return sendJson(reply, resultText(execution, readerOf(request)));
    },
  );

  app.get<ExecutionRoute & { Querystring: { last_event_id?: string } }>(
    "/sessions/:session_id/execute/:exec_id/stream",
    {
      schema: {
        summary: "Stream output (SSE)",
        description: "Server-Sent Events: output, artifact, input_request, result, done. Resumes after Last-Event-ID.",
        tags,
        params: ExecutionParams,
        querystring: StreamQuery,
        response: { 200: eventStream(StreamEvent, "Events as they happen, until done"), ...errors(404) },
      },
    },
    async (request, reply) => {
      const execution = executionOf(request);
      if (execution.log.discarded) throw new AppError("stream_expired");
      const afterId = lastEventId(request.headers["last-event-id"] ?? request.query.last_event_id);
      for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value);
      reply.hijack();
      await streamExecution(reply.raw, execution, { reader: readerOf(request), afterId, heartbeatMs: context.settings.heartbeatMs });
    },
  );

  app.get<ExecutionRoute>(
    "/sessions/:session_id/execute/:exec_id",
    {
      schema: {
        summary: "State and result of an execution",
        tags,
        params: ExecutionParams,
        response: { 200: ref(ExecutionStatus), ...errors(404) },
      },
    },
    async (request, reply) => sendJson(reply, await statusOf(request, executionOf(request))),
  );

  app.get<{ Params: { session_id: string } }>(
    "/sessions/:session_id/executions",
    {
      schema: {
        summary: "List the executions, newest first",
        tags,
        params: SessionParams,
        response: { 200: ref(ExecutionList), ...errors(404) },
      },
    },
    async (request) => {
      const session = sessions.get(request.params.session_id);
      return { executions: session.executions().map((execution) => execution.summary(session.positionOf(execution))) };
    },
  );

  app.post<ExecutionRoute>(
    "/sessions/:session_id/execute/:exec_id/interrupt",
    {
      schema: {
        summary: "Interrupt an execution",
        tags,
        params: ExecutionParams,
        response: { 200: ref(ExecutionStatus), ...errors(404, 409) },
      },
    },
    async (request, reply) => {
      const execution = sessions.get(request.params.session_id).interrupt(request.params.exec_id);
      return sendJson(reply, await statusOf(request, execution));
    },
  );

  app.post<ExecutionRoute & { Body: InputRequest }>(
    "/sessions/:session_id/execute/:exec_id/input",
    {
      schema: {
        summary: "Answer the code's input()",
        tags,
        params: ExecutionParams,
        body: ref(InputRequest),
        response: { 200: ref(InputResponse), ...errors(404, 409) },
      },
    },
    async (request) => {
      await sessions.get(request.params.session_id).answerInput(request.params.exec_id, request.body.text);
      return { status: "sent" };
    },
  );

  function executionOf(request: FastifyRequest<ExecutionRoute>): Execution {
    return sessions.get(request.params.session_id).execution(request.params.exec_id);
  }

  /** The JSON text of an `ExecutionStatus`: the result in it is text already. */
  async function statusOf(request: FastifyRequest<ExecutionRoute>, execution: Execution): Promise<JsonText> {
    const position = sessions.get(request.params.session_id).positionOf(execution);
    const summary = { ...execution.summary(position), code: await execution.readCode() };
    const head = JSON.stringify(summary);
    if (summary.state !== "done") return head;
    const result = resultText(execution, readerOf(request));
    const begin = `${head.slice(0, -1)},"result":`;
    return typeof result === "string" ? `${begin}${result}}` : around(begin, result, "}");
  }
}

/** A large one comes in pieces. */
type JsonText = string | AsyncGenerator<string, void, undefined>;

function sendJson(reply: FastifyReply, text: JsonText): FastifyReply {
  return reply.type(JSON_TYPE).send(typeof text === "string" ? text : Readable.from(text, { objectMode: false }));
}

async function* around(begin: string, pieces: AsyncIterable<string>, end: string): AsyncGenerator<string, void, undefined> {
  yield begin;
  yield* pieces;
  yield end;
}

function readerOf(request: FastifyRequest<{ Params: { session_id: string } }>): Reader {
  return { origin: requestOrigin(request), sessionId: request.params.session_id };
}

/** The server goes, and leaves the execution to the one that takes its place. */
function refuseLeft(): never {
  throw new AppError("shutting_down", "The server is shutting down; the execution goes on, and the next server has its result.", {
    retryAfterSeconds: 1,
  });
}

/** An id that is no number is taken as none, as the specification of event streams has it for what a server does not know. */
function lastEventId(sent: string | string[] | undefined): number {
  return typeof sent === "string" && /^\d{1,15}$/.test(sent) ? Number(sent) : 0;
}
