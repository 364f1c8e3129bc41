/** Everything of a session goes to its executor: requests and answers pass, broken connections are made again where that is safe. */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import { isUnsent, type ExecutorAnswer, type ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";
import { clientGone, forward } from "./forward.ts";
import { answerHeaders, requestPath } from "./forwarded-headers.ts";
import { bodyOf, lengthHeaders, type RequestBody } from "./request-body.ts";
import { isConnectionFault, type Place, type SessionFinder } from "./session-finder.ts";

/** What the proxy needs. */
export interface SessionProxyOptions {
  executors: Executors;
  finder: SessionFinder;
  calls: Pick<ExecutorCalls, "open">;
}

/** An answer that has begun, and who gives it. */
export interface PlacedAnswer {
  place: Place;
  answer: ExecutorAnswer;
}

/** A request of a session. */
export interface SessionRequest {
  request: FastifyRequest;
  /** The session's id, or its kernel's. */
  id: string;
  body: RequestBody;
  /** Whether a second copy does no harm. */
  isRepeatable: boolean;
  /** Ends the wait: the client is gone. */
  signal: AbortSignal;
  headers?: Record<string, string>;
}

const REPEATABLE = new Set(["GET", "HEAD", "PUT", "DELETE"]);
const MOST_TRIES = 8;
/** Between two tries with an executor that can be reached and still breaks off. */
const PAUSE_MS = 100;

/** Sends requests of sessions on. */
export class SessionProxy {
  readonly #options: SessionProxyOptions;

  constructor(options: SessionProxyOptions) {
    this.#options = options;
  }

  /**
   * Answers a request with its executor's answer.
   * @throws AppError `session_not_found`, `executor_lost`, `executor_cut_off`.
   */
  async handle(request: FastifyRequest, reply: FastifyReply, id: string): Promise<FastifyReply> {
    const signal = goneSignal(reply);
    const body = bodyOf(request);
    const headers = repeatKey(request, body);
    const isRepeatable = REPEATABLE.has(request.method) || headers["idempotency-key"] !== undefined;
    const { place, answer } = await this.open({ request, id, body, isRepeatable, signal, headers });
    if (request.method === "DELETE" && isWholeSession(request) && answer.statusCode < 300) await this.#options.finder.end(place, id);
    return passOn(reply, answer);
  }

  /** Answers a request with the answer of an executor, whichever it is of: for what is the same with all. */
  async toExecutor(request: FastifyRequest, reply: FastifyReply, executor: Executor, json?: unknown): Promise<FastifyReply> {
    return passOn(reply, await this.openAt(executor, { request, signal: goneSignal(reply) }, json));
  }

  /**
   * Sends a request to an executor, once; the answer's body is the caller's to read.
   * @param json In place of the client's body.
   * @throws AppError `executor_cut_off`.
   */
  async openAt(
    executor: Executor,
    { request, signal }: Pick<SessionRequest, "request" | "signal">,
    json?: unknown,
  ): Promise<ExecutorAnswer> {
    const body = json === undefined ? bodyOf(request) : Buffer.from(JSON.stringify(json));
    const headers: Record<string, string> = json === undefined ? {} : { "content-type": "application/json" };
    try {
      return await this.#send(executor, { request, id: "", body, isRepeatable: false, signal, headers });
    } catch (error) {
      if (!isConnectionFault(error)) throw error;
      this.#options.executors.suspect(executor);
      throw cutOff(error);
    }
  }

  /** Sends a request to its session's executor; the answer's body is the caller's to read. */
  async open(wanted: SessionRequest): Promise<PlacedAnswer> {
    const { request, id, body, isRepeatable, signal } = wanted;
    const { executors, finder } = this.#options;
    let place = await finder.find(id, signal);
    for (let tries = 1; ; tries += 1) {
      let answer: ExecutorAnswer;
      try {
        answer = await this.#send(place.executor, wanted);
      } catch (error) {
        if (signal.aborted || !isConnectionFault(error)) throw error;
        executors.suspect(place.executor);
        const isGone = (await place.executor.decided(signal)) === "lost";
        const mayRepeat = isRepeatable || isUnsent(error);
        if (!isGone && (!mayRepeat || tries >= MOST_TRIES || isSpent(body))) throw cutOff(error);
        if (isGone) {
          place = await finder.find(id, signal);
          if (!mayRepeat || isSpent(body)) throw cutOff(error);
        }
        await pause(tries === 1 ? 0 : PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
        continue;
      }
      if (answer.statusCode !== 404 || place.isFresh) return { place, answer };
      const elsewhere = await this.#isElsewhere(place, id, answer, signal);
      if (elsewhere.place === undefined) return { place, answer: elsewhere.answer };
      if (isSpent(body)) throw new AppError("executor_cut_off", "The session has moved meanwhile: send the request again.");
      place = elsewhere.place;
      request.log.debug({ sessionId: id }, "a session was sought anew");
    }
  }

  async #send(executor: Executor, { request, body, signal, headers }: SessionRequest): Promise<ExecutorAnswer> {
    return forward(this.#options.calls, executor, request, { body, headers: { ...lengthHeaders(request, body), ...headers }, signal });
  }

  /** Where a session is that was remembered at an executor that does not know it: nowhere, or somewhere else by now. */
  async #isElsewhere(
    { executor }: Place,
    id: string,
    answer: ExecutorAnswer,
    signal: AbortSignal,
  ): Promise<{ place?: Place; answer: ExecutorAnswer }> {
    const length = Number(answer.headers["content-length"] ?? Number.NaN);
    if (!(length < 10_000)) return { answer };
    const text = await answer.body.text();
    const read = { ...answer, body: text } as unknown as ExecutorAnswer;
    if (!text.includes('"session_not_found"')) return { answer: read };
    this.#options.finder.forget(id, executor);
    const place = await this.#options.finder.find(id, signal).catch((error: unknown) => {
      if (error instanceof AppError && error.code === "session_not_found") return undefined;
      throw error;
    });
    return place === undefined || place.executor === executor ? { answer: read } : { place, answer: read };
  }
}

/** Sends an executor's answer on, as fast as the client takes it. */
export function passOn(reply: FastifyReply, answer: ExecutorAnswer): FastifyReply {
  const { statusCode, headers, body } = answer;
  reply.status(statusCode).headers(answerHeaders(headers));
  return reply.send(body);
}

/** Aborts when the client has hung up before it had its answer. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort(clientGone());
  });
  return gone.signal;
}

/** An execution gets a key of the gateway's own where its client sent none: after a cut the gateway asks again, and nothing runs twice. */
function repeatKey(request: FastifyRequest, body: RequestBody): Record<string, string> {
  const { method, headers } = request;
  if (method !== "POST" || !Buffer.isBuffer(body) || requestPath(request.url).split("?")[0]?.endsWith("/execute") !== true) return {};
  const sent = headers["idempotency-key"];
  return { "idempotency-key": typeof sent === "string" && sent !== "" ? sent : `gateway-${randomUUID()}` };
}

/** A stream has gone with the first try. */
function isSpent(body: RequestBody): boolean {
  return body !== undefined && !Buffer.isBuffer(body);
}

/** Whether the path is that of a session itself; a kernel's may end without its session. */
function isWholeSession(request: FastifyRequest): boolean {
  return /^\/api\/v1\/sessions\/[^/?]+(\?|$)/.test(requestPath(request.url));
}

function cutOff(cause: unknown): AppError {
  return new AppError("executor_cut_off", undefined, { cause });
}
