/** Waits that end: pauses that a signal cuts short, growing pauses between tries, and a clock on top of a caller's signal. */
import { ExecutionClientError } from "./error.ts";

/** Longest delay a timer takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Waits; a signal ends the wait early.
 * @throws the signal's reason.
 */
export function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(asError(signal.reason));
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      reject(asError(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Pauses between tries: they double from `firstMs` to `mostMs`, and vary so that many clients do not come at once. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #tries = 0;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** The next pause. */
  nextMs(): number {
    const wholeMs = Math.min(this.#firstMs * 2 ** this.#tries, this.#mostMs);
    this.#tries += 1;
    return wholeMs * (0.5 + Math.random() / 2);
  }

  /** Begins again with short pauses, after something worked. */
  reset(): void {
    this.#tries = 0;
  }
}

/** A caller's signal and a clock in one. */
export interface Deadline {
  /** Aborts when the caller's signal does, when the time is up, or by {@link cancel}. */
  readonly signal: AbortSignal;
  /** Starts the time anew, for waits that end only when nothing moves any more. */
  restart(): void;
  /** Stops the time, while it is not the other side that is waited for. */
  stop(): void;
  /** Ends the wait as if it had failed with this. */
  cancel(reason: unknown): void;
  /** Stops the clock and lets go of the caller's signal. */
  clear(): void;
  /** The fault where this deadline has ended the wait, whatever `error` came of that; else null. */
  faultOf(error: unknown): ExecutionClientError | null;
}

/**
 * Puts a clock on top of a caller's signal.
 * @param timeoutMs null for no clock.
 * @param onTimeout The sentence of the fault when the time is up.
 */
export function deadline(signal: AbortSignal | undefined, timeoutMs: number | null, onTimeout: () => string): Deadline {
  const controller = new AbortController();
  const timeUp = new Error("The time is up.");
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => controller.abort(signal?.reason);
  const start = () => {
    if (timeoutMs !== null && !controller.signal.aborted)
      timer = setTimeout(() => controller.abort(timeUp), Math.min(timeoutMs, MAX_TIMER_MS));
  };
  if (signal?.aborted === true) controller.abort(signal.reason);
  else signal?.addEventListener("abort", onAbort, { once: true });
  start();
  return {
    signal: controller.signal,
    restart: () => {
      clearTimeout(timer);
      start();
    },
    stop: () => clearTimeout(timer),
    cancel: (reason) => controller.abort(reason),
    clear: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    },
    faultOf: (error) => {
      if (!controller.signal.aborted) return null;
      const { reason } = controller.signal as { reason: unknown };
      if (reason instanceof ExecutionClientError) return reason;
      if (reason === timeUp) return new ExecutionClientError("timeout", onTimeout(), { cause: error });
      return new ExecutionClientError("aborted", "The wait was ended by the caller's signal.", { cause: reason });
    },
  };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
