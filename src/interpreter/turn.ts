/** The state of one question: counts, and what ends it early. */
import { InterpreterError } from "./error.ts";
import type { Answer, AnswerReason } from "./events.ts";

/** From a question to its answer. */
export class Turn {
  executionCount = 0;
  /** Failed executions in a row. */
  failures = 0;
  isExecuting = false;
  isInterrupted = false;
  /** Whether the model has been told to run no more code. */
  isLast = false;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = () => this.#controller.abort(this.#outer?.reason);

  constructor(outer: AbortSignal | undefined) {
    this.#outer = outer;
    if (outer?.aborted === true) this.#onAbort();
    else outer?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller.abort(new InterpreterError("aborted", "The question was interrupted."));
  }

  answer(reason: AnswerReason, text: string, isCutShort = false): Answer {
    return { text, reason, executionCount: this.executionCount, isCutShort };
  }

  close(): void {
    this.#outer?.removeEventListener("abort", this.#onAbort);
  }
}

/**
 * Waits for something that cannot be ended itself.
 * @throws InterpreterError `aborted` as soon as the signal says so.
 */
export function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(aborted(signal));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** The fault of a question that was ended from outside. */
export function aborted({ reason }: AbortSignal): InterpreterError {
  return reason instanceof InterpreterError ? reason : new InterpreterError("aborted", "The question was withdrawn.", { cause: reason });
}
