/** The one error class and the one table of error codes; every part may import this file. */

/**
 * Every code that a client can see, with its HTTP status and the sentence used where no better one is at hand.
 * `docs/errors.md` lists exactly these; a test compares.
 */
export const ERROR_TABLE = {
  plugin_failed: { status: 400, message: "The plugin failed to load." },
  unsupported_by_kernel: { status: 400, message: "The kernel of this session cannot do that." },
  unauthorized: { status: 401, message: "An API key is needed: send it in the X-API-Key header." },
  origin_refused: { status: 403, message: "Requests from this origin are refused." },
  host_refused: { status: 403, message: "Requests for this host name are refused." },
  not_found: { status: 404, message: "There is nothing at this path." },
  session_not_found: { status: 404, message: "There is no such session." },
  execution_not_found: { status: 404, message: "There is no such execution." },
  stream_expired: { status: 404, message: "The stream of this execution is no longer kept; its result still is." },
  artifact_not_found: { status: 404, message: "There is no such file." },
  plugin_not_found: { status: 404, message: "There is no such plugin in this session." },
  lease_not_found: { status: 404, message: "There is no such lease, or it ran out; take it anew with POST." },
  method_not_allowed: { status: 405, message: "This path does not take that method." },
  session_exists: { status: 409, message: "A session with this id exists already." },
  execution_exists: { status: 409, message: "An execution with this id is still queued or running." },
  execution_done: { status: 409, message: "The execution is already done." },
  no_input_requested: { status: 409, message: "The execution is not asking for input." },
  executor_lost: { status: 410, message: "The executor that held the session is lost." },
  body_too_large: { status: 413, message: "The request body is too large." },
  unsupported_media_type: { status: 415, message: "Send the body as application/json." },
  range_not_satisfiable: { status: 416, message: "The requested range lies outside the file." },
  invalid_request: { status: 422, message: "The request does not fit the schema." },
  invalid_json: { status: 422, message: "The request body is not valid JSON." },
  invalid_path: { status: 422, message: "The path would leave the session's directory." },
  invalid_base64: { status: 422, message: "The content is not strict base64." },
  unknown_kernel: { status: 422, message: "No such kernel is installed." },
  idempotency_mismatch: { status: 422, message: "This Idempotency-Key was used with another body." },
  session_limit: { status: 429, message: "The server holds as many sessions as it may." },
  queue_limit: { status: 429, message: "The session's queue is full." },
  internal: { status: 500, message: "The server failed to handle the request." },
  kernel_start_failed: { status: 500, message: "The kernel could not be started." },
  shutting_down: { status: 503, message: "The server is shutting down." },
  starting: { status: 503, message: "The server is still starting." },
  no_executor: { status: 503, message: "No executor takes new sessions now." },
  executor_cut_off: {
    status: 502,
    message:
      "The connection to the executor broke: whether it handled the request is not known. Ask for the state, or repeat what may be repeated.",
  },
  executor_fault: { status: 502, message: "An executor did not do what this gateway asked of it; the gateway's log says what." },
  no_space: { status: 507, message: "There is no space left on the server's disk." },
} as const satisfies Record<string, { status: number; message: string }>;

/** A code of {@link ERROR_TABLE}. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** One thing that is wrong with a request: a JSON path into it, and a sentence. */
export interface FieldError {
  path: string;
  message: string;
}

/** Optional parts of an {@link AppError}. */
export interface AppErrorOptions {
  cause?: unknown;
  /** What is wrong, field by field (status 422). */
  errors?: FieldError[];
  /** When a retry makes sense, in seconds (sent as `Retry-After`). */
  retryAfterSeconds?: number;
}

/** A failure of ours or of the caller, with a code from the table; a user's failing code is never one. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly errors: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  /** @param message One sentence that a person can act on; the table's sentence by default. */
  constructor(code: ErrorCode, message?: string, options: AppErrorOptions = {}) {
    super(message ?? ERROR_TABLE[code].message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.status = ERROR_TABLE[code].status;
    this.errors = options.errors;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** A start-up problem that the user can mend (a bad option, a port in use): one sentence on standard error and exit code 2. */
export class UsageError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "UsageError";
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
