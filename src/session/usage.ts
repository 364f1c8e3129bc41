/** Whether anybody uses the server: leases that clients hold, and when the last request came. */
import { AppError } from "../errors.ts";

/** The client that started a server may take that long to see it and to take its first lease. */
const FIRST_LEASE_MS = 30_000;

/** Keeps count of leases and requests; sessions are the store's to know. */
export class Usage {
  readonly #leases = new Map<string, number>();
  #lastRequestAt = Date.now();
  #wasLeased = false;
  #isClosed = false;

  /** A request came. */
  noteRequest(): void {
    this.#lastRequestAt = Date.now();
  }

  /** How many leases are held. */
  get leaseCount(): number {
    this.#forgetEnded();
    return this.#leases.size;
  }

  /** Takes a lease, or takes it anew. @throws AppError `shutting_down` where the server ends in any case. */
  takeLease(id: string, seconds: number): void {
    if (this.#isClosed) throw new AppError("shutting_down", undefined, { retryAfterSeconds: 1 });
    if (!this.#leases.has(id)) this.#forgetEnded();
    this.#wasLeased = true;
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

  /** Whether no lease is held and no request has come for this long; before the first lease for longer. */
  isUnusedFor(milliseconds: number): boolean {
    const enoughMs = this.#wasLeased ? milliseconds : Math.max(milliseconds, FIRST_LEASE_MS);
    return this.leaseCount === 0 && Date.now() - this.#lastRequestAt >= enoughMs;
  }

  /** The server is about to end: a lease would promise that it stays. */
  close(): void {
    this.#isClosed = true;
  }

  /** Nobody may ever ask for one that ran out. */
  #forgetEnded(): void {
    const now = Date.now();
    for (const [id, until] of this.#leases) if (until <= now) this.#leases.delete(id);
  }

  #expectLease(id: string): number {
    const until = this.#leases.get(id);
    if (until === undefined || until <= Date.now()) throw new AppError("lease_not_found");
    return until;
  }
}
