/** Ends the keeping of finished executions' streams, in the order they finished, with one timer. */

/** A queue of things that are due a fixed time after they were added. */
export class StreamExpiry {
  readonly #retentionMs: number;
  #due: { at: number; expire: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(retentionMs: number) {
    this.#retentionMs = retentionMs;
  }

  /** Calls `expire` when the time to keep is over. */
  add(expire: () => void): void {
    if (this.#closed) return expire();
    this.#due.push({ at: Date.now() + this.#retentionMs, expire });
    this.#arm();
  }

  /** Expires everything now, and what is added later at once. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    const due = this.#due;
    this.#due = [];
    for (const entry of due) entry.expire();
  }

  #arm(): void {
    const first = this.#due[0];
    if (this.#timer !== undefined || first === undefined) return;
    const waitMs = Math.min(Math.max(0, first.at - Date.now()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const now = Date.now();
      for (let entry = this.#due[0]; entry !== undefined && entry.at <= now; entry = this.#due[0]) {
        this.#due.shift();
        entry.expire();
      }
      this.#arm();
    }, waitMs);
    this.#timer.unref();
  }
}
