/** What the client throws: a fault of the server, the network or the caller; code that fails in the kernel is never one. */

/** Faults that the client itself finds; every other `code` comes from the server (`docs/errors.md`). */
export const CLIENT_FAULT_CODES = [
  /** Nothing listens at the URL. */
  "connection_refused",
  /** The host is unknown or cannot be reached, or the connection cannot be made secure. */
  "unreachable",
  /** The connection broke before the answer was complete. */
  "connection_lost",
  /** What answers is no execution server. */
  "wrong_server",
  /** The client's own wait ended; what the server does goes on. */
  "timeout",
  /** The caller's signal ended the wait. */
  "aborted",
  /** The URL or an option cannot be right. */
  "invalid_option",
] as const;

/** A code of {@link CLIENT_FAULT_CODES}. */
export type ClientFaultCode = (typeof CLIENT_FAULT_CODES)[number];

/** One thing that is wrong with a request: a JSON path into it, and a sentence. */
export interface RequestFieldError {
  path: string;
  message: string;
}

/** What a fault carries beside its sentence. */
export interface ExecutionClientErrorOptions {
  cause?: unknown;
  /** The status of the answer; 0 where there was none. */
  statusCode?: number;
  errors?: RequestFieldError[];
  retryAfterMs?: number;
}

/** A fault, with one sentence that says what to do next. */
export class ExecutionClientError extends Error {
  /** One of {@link CLIENT_FAULT_CODES}, or the server's code, e.g. `session_not_found`. */
  readonly code: string;
  /** The HTTP status; 0 where no answer came. */
  readonly statusCode: number;
  /** What is wrong with the request, field by field (status 422). */
  readonly errors: RequestFieldError[] | undefined;
  /** When the server asks to try again. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, options: ExecutionClientErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ExecutionClientError";
    this.code = code;
    this.statusCode = options.statusCode ?? 0;
    this.errors = options.errors;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether an error is a fault with one of these codes. */
export function isFault(error: unknown, ...codes: string[]): error is ExecutionClientError {
  return error instanceof ExecutionClientError && (codes.length === 0 || codes.includes(error.code));
}
