/** What goes wrong between us and a language model: one class, one list of codes. Code that fails is data, never one of these. */

/** Why a question could not be answered. */
export const INTERPRETER_FAULT_CODES = [
  /** The service refuses the key, or what it may be used for. */
  "model_unauthorized",
  /** The service has no such model, or nothing at this address. */
  "model_not_found",
  /** The service does not take the request. */
  "model_refused",
  /** The account has no money or quota left. */
  "model_quota",
  /** Too many requests, also after repeating. */
  "model_busy",
  /** The service failed, also after repeating. */
  "model_failed",
  /** The service cannot be reached. */
  "model_unreachable",
  /** Nothing came for too long. */
  "model_timeout",
  /** The reply broke off, also after repeating. */
  "model_cut",
  /** The model answered with nothing at all. */
  "model_silent",
  /** The service withheld the reply. */
  "content_filtered",
  /** The conversation is too long for the model, however much of it is left out. */
  "context_too_long",
  /** The service or the model takes no tools; asked again without them. */
  "tools_unsupported",
  /** The service or the model takes no images; asked again without them. */
  "images_unsupported",
  /** The caller's signal ended the wait. */
  "aborted",
  /** A question is being answered; one at a time. */
  "busy",
  /** An option cannot be right. */
  "invalid_option",
] as const;

/** A code of {@link INTERPRETER_FAULT_CODES}. */
export type InterpreterFaultCode = (typeof INTERPRETER_FAULT_CODES)[number];

/** What a fault carries beside its sentence. */
export interface InterpreterErrorOptions {
  cause?: unknown;
  /** The status of the service's answer; 0 where there was none. */
  statusCode?: number | undefined;
  /** Whether the same request may succeed later. */
  isPassing?: boolean;
  /** When the service asks to try again. */
  retryAfterMs?: number | undefined;
}

/** A fault, with one sentence that says what to do next. */
export class InterpreterError extends Error {
  readonly code: InterpreterFaultCode;
  readonly statusCode: number;
  readonly isPassing: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: InterpreterFaultCode, message: string, options: InterpreterErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "InterpreterError";
    this.code = code;
    this.statusCode = options.statusCode ?? 0;
    this.isPassing = options.isPassing ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}
