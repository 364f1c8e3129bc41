/** Holds a lease on a server that a client started, so that it stays while the client lives. */
import { randomUUID } from "node:crypto";
import { isFault, type ExecutionClient } from "../client/index.ts";

const LEASE_SECONDS = 15;
const RENEW_EVERY_MS = 5_000;

/** Renews a lease until it is closed; a client that is killed simply stops. */
export class LeaseKeeper {
  readonly #client: ExecutionClient;
  readonly #leaseId = `client-${randomUUID()}`;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(client: ExecutionClient) {
    this.#client = client;
  }

  /**
   * Takes a lease; a server that knows no leases needs none.
   * @param isOurs Whether the server is one that a client may have started. Others are held by nobody's lease, so a refusal is no fault:
   *   behind a gateway it may be that of one executor of many.
   */
  static async take(client: ExecutionClient, isOurs: boolean, signal?: AbortSignal): Promise<LeaseKeeper> {
    const keeper = new LeaseKeeper(client);
    try {
      await client.takeLease(keeper.#leaseId, LEASE_SECONDS, { signal });
    } catch (error) {
      if (!isFault(error, "not_found") && (isOurs || !isFault(error, "shutting_down"))) throw error;
      keeper.#isClosed = true;
      return keeper;
    }
    keeper.#timer = setInterval(() => void keeper.#renew(), RENEW_EVERY_MS);
    // A lease must not be what keeps a program running.
    keeper.#timer.unref();
    return keeper;
  }

  /** Gives the lease back. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    // A server that is gone, or that forgot the lease, holds none.
    await this.#client.endLease(this.#leaseId, { timeoutMs: 2_000 }).catch(() => undefined);
  }

  async #renew(): Promise<void> {
    try {
      await this.#client.renewLease(this.#leaseId, LEASE_SECONDS, { timeoutMs: RENEW_EVERY_MS });
    } catch (error) {
      // It ran out while this machine slept, or the server was started anew. Of other faults the next call will tell.
      if (isFault(error, "lease_not_found") && !this.#isClosed) {
        await this.#client.takeLease(this.#leaseId, LEASE_SECONDS, { timeoutMs: RENEW_EVERY_MS }).catch(() => undefined);
      }
    }
  }
}
