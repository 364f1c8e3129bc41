/** How long a reply may say nothing: a clock on top of the caller's signal. */

/** Longest delay a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs from the start; every sign of life starts it anew. */
export class ReplyClock {
  readonly timeoutMs: number;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #onAbort = () => this.#controller.abort(this.#outer.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(outer: AbortSignal, timeoutMs: number) {
    this.#outer = outer;
    this.timeoutMs = timeoutMs;
    if (outer.aborted) this.#onAbort();
    else outer.addEventListener("abort", this.#onAbort, { once: true });
    this.restart(timeoutMs);
  }

  /** Aborts when the caller's does, or the time is up. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the time was up. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the caller ended it. */
  get isAborted(): boolean {
    return this.#outer.aborted;
  }

  restart(timeoutMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#isOver = true;
        this.#controller.abort(new Error("The time is up."));
      },
      Math.min(timeoutMs, MAX_TIMER_MS),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#onAbort);
  }
}
