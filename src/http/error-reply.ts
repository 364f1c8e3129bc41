/** Every failure as the contract writes it: one sentence, one code, never a stack. */
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifySchemaValidationError } from "fastify";
import type { ErrorBody } from "../api/index.ts";
import { AppError, type ErrorCode } from "../errors.ts";

/** Installs the error handler and the answer for unknown paths. */
export function registerErrorReplies(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | AppError, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler(() => {
    throw new AppError("not_found");
  });
}

/** The failure as an AppError; what we did not foresee becomes `internal`, its detail for the log only. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, statusCode, validation, validationContext } = error as Partial<FastifyError>;
  if (validation !== undefined) return validationError(validation, validationContext ?? "body");
  if (code === "FST_ERR_BAD_URL" || code === "FST_ERR_MAX_PARAM_LENGTH") return new AppError("not_found", undefined, { cause: error });
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE" || statusCode === 413) return new AppError("body_too_large", undefined, { cause: error });
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE" || statusCode === 415)
    return new AppError("unsupported_media_type", undefined, { cause: error });
  if (statusCode === 400) return new AppError("invalid_request", "The request could not be read.", { cause: error });
  return new AppError("internal", undefined, { cause: error });
}

/** Answers a failed request. */
export function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toAppError(hasLeft(request) && !(thrown instanceof AppError) ? brokenOff(thrown) : thrown);
  if (error.status >= 500 && error.status !== 503) request.log.error({ error: thrown }, error.message);
  if (error.retryAfterSeconds !== undefined) reply.header("retry-after", String(error.retryAfterSeconds));
  const body: ErrorBody = { detail: error.message, code: error.code };
  if (error.errors !== undefined) body.errors = error.errors;
  else if (error.status === 422) body.errors = [{ path: WHERE[error.code] ?? "/", message: error.message }];
  return reply.status(error.status).type("application/json; charset=utf-8").send(JSON.stringify(body));
}

/** Where in the request a failure lies that has no list of fields. */
const WHERE: Partial<Record<ErrorCode, string>> = {
  invalid_path: "/filename",
  invalid_base64: "/content",
  unknown_kernel: "/kernel",
  idempotency_mismatch: "/headers/idempotency-key",
};

/** The client broke off in the middle of its request: nobody reads the answer, and it is no fault of ours. */
function hasLeft(request: FastifyRequest): boolean {
  return request.raw.destroyed && !request.raw.complete;
}

function brokenOff(cause: unknown): AppError {
  return new AppError("invalid_request", "The request ended before its body did.", { cause });
}

/** Answers what is not HTTP, or headers that do not come or do not end, and hangs up. */
export function refuseMalformed(error: Error & { code?: string }, socket: Socket): void {
  // Who does not speak TLS, or gives it up, would take our answer for noise.
  if (error.code === "ECONNRESET" || error.code?.startsWith("ERR_SSL_") === true || !socket.writable) return void socket.destroy();
  const detail = MALFORMED[error.code ?? ""] ?? "The request is not valid HTTP.";
  const body: ErrorBody = { detail, code: "invalid_request", errors: [{ path: "/", message: detail }] };
  const text = JSON.stringify(body);
  const head = [
    "HTTP/1.1 422 Unprocessable Entity",
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${text.length}`,
    "X-Content-Type-Options: nosniff",
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`);
}

const MALFORMED: Record<string, string> = {
  HPE_HEADER_OVERFLOW: "The request's headers are too large.",
  ERR_HTTP_REQUEST_TIMEOUT: "The request's headers did not arrive in time.",
};

function validationError(validation: FastifySchemaValidationError[], context: string): AppError {
  const errors = validation.map((one) => {
    const params = one.params as Params;
    const field = params.additionalProperty ?? params.missingProperty;
    const path = field === undefined ? one.instancePath : `${one.instancePath}/${pointerPart(field)}`;
    return { path: `${context === "body" ? "" : `/${context}`}${path}` || "/", message: explain(one, params) };
  });
  const first = errors[0];
  const where = first === undefined || first.path === "/" ? "The body" : first.path.split("/").slice(1).join(".");
  return new AppError("invalid_request", `${where}: ${first?.message ?? "does not fit the schema"}.`, { errors });
}

/** @see RFC 6901, JSON Pointer; shortened, since the name is the client's. */
function pointerPart(field: string): string {
  return field.slice(0, 100).replaceAll("~", "~0").replaceAll("/", "~1");
}

function explain(one: FastifySchemaValidationError & { parentSchema?: { description?: string } }, params: Params): string {
  if (params.additionalProperty !== undefined) return "unknown field";
  if (params.missingProperty !== undefined) return "required field is missing";
  if (params.allowedValues !== undefined)
    return `must be one of ${params.allowedValues.filter((value) => typeof value === "string").join(", ")}`;
  const description = one.parentSchema?.description;
  if (one.keyword === "pattern" && description !== undefined)
    return `must be ${description.charAt(0).toLowerCase()}${description.slice(1)}`;
  return one.message ?? "does not fit the schema";
}

interface Params {
  additionalProperty?: string;
  missingProperty?: string;
  allowedValues?: unknown[];
}
