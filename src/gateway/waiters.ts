/** Those who wait until something is known; each may give up before. */
export class Waiters {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next {@link wake}. @throws the signal's reason where it aborts. */
  async woken(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener("abort", done);
    });
    signal?.throwIfAborted();
  }

  /** Wakes all. */
  wake(): void {
    for (const done of this.#waiting) done();
  }
}
