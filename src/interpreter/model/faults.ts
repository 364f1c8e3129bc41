/** Turns what the SDK threw into one clear fault: what happened, and what to do next. */
import { APIConnectionError, APIConnectionTimeoutError, APIError } from "openai";
import { innermostMessage, systemCode } from "../../client/causes.ts";
import { InterpreterError, type InterpreterErrorOptions, type InterpreterFaultCode } from "../error.ts";
import type { ModelRequest } from "./language-model.ts";
import type { ReplyClock } from "./reply-clock.ts";

/** What a fault happened to. */
export interface FaultContext {
  apiBase: string;
  model: string;
  apiKey: string | null;
  request: ModelRequest;
  clock: ReplyClock;
}

/** What the service answered; the SDK's own class leaves these open. */
type ServiceError = APIError<number | undefined, Headers | undefined, object | undefined>;

/** The fault of a request, or of a stream that broke. */
export function faultOf(error: unknown, context: FaultContext): InterpreterError {
  const { apiBase, clock } = context;
  if (clock.isAborted) return new InterpreterError("aborted", "The wait for the model was ended.", { cause: error });
  if (clock.isOver || error instanceof APIConnectionTimeoutError) {
    const seconds = Math.round(clock.timeoutMs / 1000);
    return new InterpreterError(
      "model_timeout",
      `The model said nothing for ${seconds} s (${apiBase}): ask again, or take a smaller or faster model.`,
      { cause: error },
    );
  }
  if (error instanceof InterpreterError) return error;
  if (error instanceof APIConnectionError) return networkFault(error, apiBase);
  if (error instanceof APIError) return answerFault(error as ServiceError, context);
  // What was not the SDK's doing is the stream's: the connection broke, or what came was no JSON.
  return cutFault(apiBase, error);
}

/** A reply that ended in the middle. */
export function cutFault(apiBase: string | null, cause?: unknown): InterpreterError {
  const from = apiBase === null ? "" : ` from ${apiBase}`;
  return new InterpreterError("model_cut", `The model's reply${from} broke off before it was complete: ask again.`, {
    cause,
    isPassing: true,
  });
}

function networkFault(error: APIConnectionError, apiBase: string): InterpreterError {
  const reason = systemCode(error);
  const isLost = reason === undefined || LOST.has(reason);
  if (reason === "ECONNREFUSED") {
    return new InterpreterError("model_unreachable", `Nothing answers at ${apiBase}: start the model's service, or correct llm.api_base.`, {
      cause: error,
    });
  }
  return new InterpreterError(
    "model_unreachable",
    `The model's service at ${apiBase} cannot be reached (${reason ?? innermostMessage(error)}): check llm.api_base and the network.`,
    { cause: error, isPassing: isLost },
  );
}

function answerFault(error: ServiceError, context: FaultContext): InterpreterError {
  const { apiBase, model, request } = context;
  // Inside a stream there is no status; some services name it as the code.
  const status = error.status ?? statusIn(error.code) ?? 500;
  const said = saidBy(error, context.apiKey);
  const words = `${error.code ?? ""} ${error.type ?? ""} ${said}`;
  const fault = (code: InterpreterFaultCode, message: string, options: InterpreterErrorOptions = {}) =>
    new InterpreterError(code, message, { cause: error, statusCode: status, ...options });
  const quoted = said === "" ? "." : `: "${said}"`;

  if (/content_filter|content management policy/i.test(words)) {
    return fault("content_filtered", `The model's service withholds an answer to this${quoted}`);
  }
  if (/insufficient_quota|billing/i.test(words) || status === 402) {
    return fault("model_quota", `The account at ${apiBase} has no quota left${quoted}`);
  }
  if (status === 401 || (status === 403 && error.code !== "model_not_found")) {
    const [problem, advice] = context.apiKey === null ? ["asks for a", "set"] : ["refuses the", "correct"];
    // What it says of the key may hold parts of it, so it is not quoted.
    const sentence = `The model's service at ${apiBase} ${problem} key (${status}): ${advice} llm.api_key (TASKWEAVER_LLM_API_KEY).`;
    return fault("model_unauthorized", sentence);
  }
  if (status !== 429 && TOO_LONG.test(words)) {
    const advice = "begin a new one, or take a model with a larger context";
    return fault("context_too_long", `The conversation is too long for ${model}: ${advice}.`);
  }
  if (request.withTool && /\btools?\b|tool[_ -]?(choice|call|use)|function[_ -]?call/i.test(words) && status !== 429) {
    return fault("tools_unsupported", `The model ${model} takes no tools${quoted}`);
  }
  if (request.messages.some((message) => "images" in message && message.images.length > 0) && status < 500 && IMAGES.test(words)) {
    return fault("images_unsupported", `The model ${model} takes no images${quoted}`);
  }
  if (status === 404 || error.code === "model_not_found") {
    const sentence = /model|deployment/i.test(words)
      ? `The service at ${apiBase} has no model "${model}": correct llm.model${/ollama|11434/.test(apiBase) ? ` or fetch it (ollama pull ${model})` : ""}.`
      : `There is nothing at ${apiBase}/chat/completions: correct llm.api_base, which mostly ends in /v1.`;
    return fault("model_not_found", sentence);
  }
  const retry = { isPassing: true, retryAfterMs: retryAfterMs(error.headers) };
  if ([408, 409, 425, 429].includes(status))
    return fault("model_busy", `The model's service has too much to do (${status})${quoted}`, retry);
  if (status >= 500) return fault("model_failed", `The model's service failed (${status})${quoted}`, retry);
  return fault("model_refused", `The model's service refuses the request (${status})${quoted}`);
}

const TOO_LONG =
  /context.?length|context.?window|context.?size|maximum context|too many (input )?tokens|prompt is too long|reduce the length/i;
const IMAGES = /image|vision|multi-?modal|content.{0,20}(string|part|type)/i;
const LOST = new Set([
  "ECONNRESET",
  "EPIPE",
  "ECONNABORTED",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
]);

/** The service's own words, on one line and not too many; never the key. */
function saidBy(error: ServiceError, apiKey: string | null): string {
  const body: unknown = error.error;
  const message: unknown = typeof body === "object" && body !== null ? (body as { message?: unknown }).message : body;
  const text = typeof message === "string" ? message : error.message.replace(/^\d{3} (status code \(no body\))?/, "");
  const plain = text
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, 300);
  return apiKey === null || apiKey.length < 4 ? plain : plain.replaceAll(apiKey, "…");
}

function statusIn(code: unknown): number | undefined {
  const status = Number(code);
  return status >= 400 && status < 600 ? status : undefined;
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfterMs(headers: Headers | undefined): number | undefined {
  const inMs = Number.parseFloat(headers?.get("retry-after-ms") ?? "");
  if (inMs >= 0) return inMs;
  const after = headers?.get("retry-after") ?? "";
  const ms = /^\d+(\.\d+)?$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
