/** Whether anybody uses the server: leases that clients hold, and when the last request came. */
import { AppError } from "../errors.ts";

/** Keeps count of leases and requests; sessions are the store's to know. */
export class Usage {
  readonly #leases = new Map<string, number>();
  #lastRequestAt = Date.now();

  /** A request came. */
  noteRequest(): void {
    this.#lastRequestAt = Date.now();
  }

  /** Takes a lease, or takes it anew. */
  takeLease(id: string, seconds: number): void {
    this.#leases.set(id, Date.now() + seconds * 1000);
  }

  /** @throws AppError `lease_not_found` where it ran out or was never taken. */
  renewLease(id: string, seconds: number): void {
    this.#expectLease(id);
    this.takeLease(id, seconds);
  }

  /** Gives a lease back; returns the seconds it had left. @throws AppError `lease_not_found`. */
  endLease(id: string): number {
    const until = this.#expectLease(id);
    this.#leases.delete(id);
    return Math.max(0, (until - Date.now()) / 1000);
  }

  /** Whether no lease is held and no request has come for this long. */
  isUnusedFor(milliseconds: number): boolean {
    for (const [id, until] of this.#leases) if (until <= Date.now()) this.#leases.delete(id);
    return this.#leases.size === 0 && Date.now() - this.#lastRequestAt >= milliseconds;
  }

  #expectLease(id: string): number {
    const until = this.#leases.get(id);
    if (until === undefined || until <= Date.now()) throw new AppError("lease_not_found");
    return until;
  }
}
