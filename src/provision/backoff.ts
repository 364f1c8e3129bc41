/** What fails again and again is tried less and less often. */

/** How often. */
export interface BackoffOptions {
  /** Failures in a row after which nothing waits yet. */
  freeFailures: number;
  /** The first wait; each further one is twice as long. */
  firstMs: number;
  mostMs: number;
  /** @default Date.now */
  now?: () => number;
}

/** Counts failures in a row. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;
  #until = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** Until the next try, in milliseconds; 0: it may be now. */
  get waitMs(): number {
    return Math.max(0, this.#until - this.#now());
  }

  noteFailure(): void {
    const { freeFailures, firstMs, mostMs } = this.#options;
    this.#failures += 1;
    const waits = this.#failures - freeFailures;
    if (waits > 0) this.#until = this.#now() + Math.min(mostMs, firstMs * 2 ** (waits - 1));
  }

  /** All is well, or somebody wants it tried at once. */
  reset(): void {
    this.#failures = 0;
    this.#until = 0;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}
