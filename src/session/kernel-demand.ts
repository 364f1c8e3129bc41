/** How many kernels should wait in a pool, told by how many were taken of late. */

/** Where nobody asks, too. */
const LEAST = 1;
/** What was taken within this time is made ready for the next to ask. */
const WANTED_WITHIN_MS = 30_000;
/** What waits already goes on waiting for longer: who asks now and then must not make kernels come and go. */
const ALLOWED_WITHIN_MS = 300_000;

/** Remembers when kernels were taken, no more often than kernels may wait. */
export class KernelDemand {
  readonly #most: number;
  readonly #least: number;
  /** Oldest first. */
  readonly #takenAt: number[] = [];

  /** @param most Kernels that may wait; 0: none at all. */
  constructor(most: number) {
    this.#most = most;
    this.#least = Math.min(LEAST, most);
  }

  /** A kernel is taken. */
  note(): void {
    this.#takenAt.push(performance.now());
    if (this.#takenAt.length > this.#most) this.#takenAt.shift();
  }

  /** While fewer than these wait, more are started. */
  get wanted(): number {
    return this.#takenWithin(WANTED_WITHIN_MS);
  }

  /** Where more than these wait, some are ended. */
  get allowed(): number {
    return this.#takenWithin(ALLOWED_WITHIN_MS);
  }

  /** How long so many may wait where nobody asks for any, in milliseconds; undefined: forever. */
  msUntilBelow(count: number): number | undefined {
    if (count <= this.#least) return undefined;
    const takenAt = this.#takenAt.at(-count);
    return takenAt === undefined ? 0 : Math.max(0, takenAt + ALLOWED_WITHIN_MS - performance.now());
  }

  #takenWithin(milliseconds: number): number {
    const since = performance.now() - milliseconds;
    return Math.max(this.#least, this.#takenAt.filter((at) => at > since).length);
  }
}
