/** An executor of the simulation: a set of sessions, and the real table of claims. */
import type { Claim, ClaimLists, ClaimRequest, HeldSessions, Readiness } from "../../src/api/index.ts";
import { ClaimTable } from "../../src/http/claim-table.ts";

const MEMORY_BYTES = 64 * 1024 ** 3;
/** As a kernel with a few libraries takes. */
const SESSION_BYTES = 256 * 1024 ** 2;
const SESSIONS_PER_LOAD = 200;

/** One start of a server. */
export class SimulatedExecutor {
  readonly origin: string;
  readonly instance: string;
  readonly sessions = new Set<string>();
  readonly maxSessions: number;
  isAlive = true;
  readonly #claims = new ClaimTable();

  constructor(index: number, maxSessions: number) {
    this.origin = `http://executor-${index}:8000`;
    this.instance = `instance-${index}`;
    this.maxSessions = maxSessions;
  }

  readiness(): Readiness {
    const { size } = this.sessions;
    return {
      status: "ready",
      sessions: size,
      executions: 0,
      instance: this.instance,
      labels: [],
      kernels: size,
      max_sessions: this.maxSessions,
      load: size / SESSIONS_PER_LOAD,
      memory_available_bytes: Math.max(0, MEMORY_BYTES - size * SESSION_BYTES),
      memory_total_bytes: MEMORY_BYTES,
    };
  }

  /** @returns the status of the answer. */
  create(id: string): 201 | 409 | 429 {
    if (this.sessions.has(id)) return 409;
    if (this.sessions.size >= this.maxSessions) return 429;
    this.sessions.add(id);
    return 201;
  }

  claimOf(id: string): Claim {
    const isHeld = this.sessions.has(id);
    return { session_id: id, executor: this.#claims.get(id)?.executor ?? null, is_held: isHeld };
  }

  claim(id: string, { executor, replaces }: ClaimRequest): Claim {
    this.#claims.claim(id, executor, replaces ?? undefined);
    return this.claimOf(id);
  }

  dropClaim(id: string, executor: string): Claim {
    this.#claims.remove(id, executor);
    return this.claimOf(id);
  }

  /** DNS forgets nobody here, so nobody is told of. */
  list(): HeldSessions {
    return { executor: this.instance, sessions: [...this.sessions], draining: [] };
  }

  tell({ claims }: ClaimLists): void {
    for (const { executor, sessions } of claims) for (const id of sessions) this.#claims.set(id, executor);
  }
}
