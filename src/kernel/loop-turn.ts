/** A turn of the event loop: how long it may be filled by one kind of work, so that all else has its turn, too. */

const LONGEST_MS = 10;

/** Asked after each piece of work whether others have to be let in. */
export class LoopTurn {
  #beganAt: number | undefined;

  /** Whether the work has filled this turn for long enough. */
  isOver(): boolean {
    if (this.#beganAt !== undefined) return performance.now() - this.#beganAt > LONGEST_MS;
    this.#beganAt = performance.now();
    setImmediate(() => (this.#beganAt = undefined));
    return false;
  }

  /** Resolves in the next turn. */
  next(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
