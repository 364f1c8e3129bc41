/** A client's request sent on to an executor; as long as it is under way the executor counts as in use. */
import type { FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import type { ExecutorAnswer, ExecutorCalls, ExecutorRequest } from "./executor-calls.ts";
import { joinSignals } from "./joined-signal.ts";
import { requestHeaders, requestPath } from "./forwarded-headers.ts";

/** What is sent; method and path are the client's. */
export interface Forwarded {
  body?: ExecutorRequest["body"];
  /** Over those of the client. */
  headers?: Record<string, string>;
  /** Ends it, as does the loss of the executor. */
  signal: AbortSignal;
}

/** Sends it; resolves when the answer begins. */
export async function forward(
  calls: Pick<ExecutorCalls, "open">,
  executor: Executor,
  request: FastifyRequest,
  { body, headers, signal }: Forwarded,
): Promise<ExecutorAnswer> {
  const { address, lost } = executor;
  const through = executor.begin();
  const ended = joinSignals(signal, lost);
  const end = (): void => {
    ended.release();
    through();
  };
  try {
    const answer = await calls.open(address, {
      method: request.method,
      path: requestPath(request.url),
      headers: { ...requestHeaders(request, address.origin.startsWith("https:")), ...headers },
      body: body ?? null,
      signal: ended.signal,
    });
    answer.body.once("close", end);
    return answer;
  } catch (error) {
    end();
    throw error;
  }
}

/** The same with JSON of the gateway's own making. */
export async function forwardJson(
  calls: Pick<ExecutorCalls, "open">,
  executor: Executor,
  request: FastifyRequest,
  { json, signal }: { json: unknown; signal: AbortSignal },
): Promise<ExecutorAnswer> {
  return forward(calls, executor, request, { body: JSON.stringify(json), headers: { "content-type": "application/json" }, signal });
}

/** The client has hung up before it had its answer: nobody reads this one, and it is no fault of ours. */
export function clientGone(): AppError {
  return new AppError("invalid_request", "The client hung up before it had its answer.");
}
