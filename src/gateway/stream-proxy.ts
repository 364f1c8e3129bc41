/** The stream of an execution through the gateway: taken up again behind the client's back, and ended truthfully where its executor is lost. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { bareResult } from "../api/index.ts";
import { AppError } from "../errors.ts";
import { EventFrames } from "./event-frames.ts";
import type { ExecutorAnswer } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";
import { answerHeaders } from "./forwarded-headers.ts";
import { goneSignal, passOn, type PlacedAnswer, type SessionProxy } from "./session-proxy.ts";

/** Which stream, and what it is read with. */
export interface StreamProxyOptions {
  proxy: Pick<SessionProxy, "open">;
  executors: Pick<Executors, "suspect">;
}

/** The route of a stream. */
export interface StreamRoute {
  Params: { session_id: string; exec_id: string };
  Querystring: { last_event_id?: string };
}

/** Between two connections that both broke. */
const PAUSE_MS = 100;
/** As the executors have it: a client that takes nothing for so long holds nothing here. */
const STALLED_READER_MS = 600_000;

/** Answers with the events of an execution, from the one that the client asks for. */
export async function proxyStream(
  request: FastifyRequest<StreamRoute>,
  reply: FastifyReply,
  { proxy, executors }: StreamProxyOptions,
): Promise<FastifyReply | undefined> {
  const { session_id: id } = request.params;
  const signal = goneSignal(reply);
  const open = (headers: Record<string, string>): Promise<PlacedAnswer> =>
    proxy.open({ request, id, body: undefined, isRepeatable: true, signal, headers });
  let { place, answer } = await open({});
  if (!isStream(answer)) return passOn(reply, answer);
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...answerHeaders(answer.headers) })) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  reply.hijack();
  const response = reply.raw;
  response.on("error", () => response.destroy());
  response.writeHead(200);
  response.flushHeaders();
  const progress: Progress = {
    lastId: Number(request.headers["last-event-id"] ?? request.query.last_event_id ?? 0) || 0,
    hasResult: false,
  };
  try {
    for (let tries = 0; !signal.aborted; tries += 1) {
      const before = progress.lastId;
      if (await copy(answer, response, progress, signal)) return undefined;
      if (signal.aborted) return undefined;
      executors.suspect(place.executor);
      if (progress.lastId > before) tries = 0;
      await pause(tries === 0 ? 0 : PAUSE_MS, undefined, { signal });
      ({ place, answer } = await open(progress.lastId === 0 ? {} : { "last-event-id": String(progress.lastId) }));
      // The stream is no longer kept, or nobody knows the execution: the client asks for the result.
      if (isStream(answer)) continue;
      await answer.body.dump();
      return undefined;
    }
  } catch (error) {
    if (signal.aborted) return undefined;
    const isLost = error instanceof AppError && (error.code === "executor_lost" || error.code === "session_not_found");
    if (!isLost) request.log.warn({ error, sessionId: id }, "a stream could not be taken up again");
    if (isLost) writeLostResult(response, request.params.exec_id, progress);
  } finally {
    response.end();
  }
  return undefined;
}

interface Progress {
  lastId: number;
  hasResult: boolean;
}

/** Copies whole frames at the client's pace. @returns whether the stream came to its end; false where the connection broke. */
async function copy(answer: ExecutorAnswer, response: ServerResponse, progress: Progress, signal: AbortSignal): Promise<boolean> {
  const frames = new EventFrames();
  const hangUp = (): void => void answer.body.destroy();
  signal.addEventListener("abort", hangUp);
  try {
    if (signal.aborted) hangUp();
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const whole = frames.push(chunk);
      if (whole === undefined) continue;
      progress.lastId = whole.lastId ?? progress.lastId;
      progress.hasResult ||= whole.hasResult;
      if (!response.write(whole.bytes)) await drained(response, signal);
      if (whole.isDone) return true;
    }
    return false;
  } catch {
    return false;
  } finally {
    signal.removeEventListener("abort", hangUp);
    answer.body.destroy();
  }
}

/** Waits for the client; one that takes nothing is gone. */
async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const stalled = setTimeout(() => response.destroy(), STALLED_READER_MS);
  try {
    await once(response, "drain", { signal });
  } finally {
    clearTimeout(stalled);
  }
}

/** What is known of an execution whose executor is lost: nothing beyond what was streamed. */
function writeLostResult(response: ServerResponse, executionId: string, { lastId, hasResult }: Progress): void {
  const result = bareResult({
    execution_id: executionId,
    error:
      "The executor that ran this is lost, and the session's variables with it. What was streamed before is all that is known of its output.",
    reason: "executor_lost",
    state_kept: false,
    started_at: null,
    finished_at: new Date().toISOString(),
  });
  let id = lastId;
  if (!hasResult) response.write(frame((id += 1), "result", result));
  response.write(frame(id + 1, "done", {}));
}

function frame(id: number, event: string, data: object): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function isStream({ statusCode, headers }: ExecutorAnswer): boolean {
  return statusCode === 200 && String(headers["content-type"]).startsWith("text/event-stream");
}
