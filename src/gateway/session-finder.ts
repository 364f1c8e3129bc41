/** Which executor holds a session: remembered, or asked of the session's home, or of all where executors have come or gone. */
import { LRUCache } from "lru-cache";
import type { Claim } from "../api/index.ts";
import { AppError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import type { ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";

/** Where a session is. */
export interface Place {
  executor: Executor;
  /** The session's own id, also where it was asked for by its kernel's. */
  sessionId: string;
  /** Whether an executor has just said so. */
  isFresh: boolean;
}

/** What finding needs. */
export interface SessionFinderOptions {
  executors: Executors;
  calls: Pick<ExecutorCalls, "claimOf" | "tellClaims">;
  /** What an id's home is made from: one text for a session's id and its kernel's. */
  homeKeyOf: (id: string) => string;
  /** For so long after a change the homes' word alone is not enough; then every gateway has told them. */
  settleMs?: number;
  /** Of sessions that are remembered. */
  maxRemembered?: number;
}

interface Remembered {
  executor: Executor;
  sessionId: string;
  /** Since the executor was lost: the version of the executors among whom the session was not found. */
  soughtIn?: number;
}

/** What no session can be called is asked of nobody. */
const ID = /^[A-Za-z0-9][\w.-]{0,127}$/;
const SETTLE_MS = 10_000;
const MAX_REMEMBERED = 200_000;

/** Finds sessions. What it remembers is only ever a hint: an executor that says no is believed. */
export class SessionFinder {
  readonly #options: SessionFinderOptions;
  readonly #remembered: LRUCache<string, Remembered>;
  /** The version of the executors whose sessions were all told to their homes. */
  #toldVersion = -1;
  /** Questions asked of executors. */
  questions = 0;

  constructor(options: SessionFinderOptions) {
    this.#options = options;
    this.#remembered = new LRUCache({ max: options.maxRemembered ?? MAX_REMEMBERED });
  }

  /** Whether a home's "no" is final: nobody has come or gone of late, and all sessions were told to their homes. */
  get isSettled(): boolean {
    const { executors, settleMs = SETTLE_MS } = this.#options;
    return this.#toldVersion === executors.version && executors.unchangedForMs >= settleMs;
  }

  /** All sessions were told to their homes while the executors had this version. */
  noteTold(version: number): void {
    this.#toldVersion = version;
  }

  remember(id: string, executor: Executor, sessionId = id): void {
    this.#remembered.set(id, { executor, sessionId });
  }

  /** It is not there (any more). */
  forget(id: string, executor: Executor): void {
    if (this.#remembered.peek(id)?.executor === executor) this.#remembered.delete(id);
  }

  /** The executor that an id's claim is kept by; waits for one that is away. @throws AppError `no_executor`. */
  async home(id: string, signal?: AbortSignal): Promise<Executor> {
    const { executors, homeKeyOf } = this.#options;
    for (;;) {
      const home = executors.homes.homeOf(homeKeyOf(id));
      if (home === undefined) throw new AppError("no_executor", "No executor can be reached now.", { retryAfterSeconds: 2 });
      if ((await home.decided(signal)) === "reachable") return home;
    }
  }

  /**
   * Finds a session.
   * @param id Its own, or its kernel's.
   * @throws AppError `session_not_found`; `executor_lost` where the one that held it is.
   */
  async find(id: string, signal?: AbortSignal): Promise<Place> {
    if (!ID.test(id)) throw unknown(id);
    const known = this.#remembered.get(id);
    if (known !== undefined && known.executor.state !== "lost") {
      return { executor: known.executor, sessionId: known.sessionId, isFresh: false };
    }
    const { executors } = this.#options;
    const { version } = executors;
    const wasSettled = this.isSettled;
    const claim = await this.#askHome(id, signal);
    const claimed = claim.executor === null ? undefined : executors.get(claim.executor);
    if (claimed !== undefined && claimed.state !== "lost") return this.#found(id, claimed, claim.sessionId);
    const isLost = known !== undefined || claim.executor !== null;
    // Its home is asked each time, since the id may have been taken anew; the others only once for each time that executors come or go.
    if ((isLost && known?.soughtIn !== version) || !wasSettled) {
      const holder = await this.whoHolds(id, signal);
      if (holder !== undefined) return this.#found(id, holder.executor, holder.sessionId);
    }
    if (!isLost) throw unknown(id);
    const lost = known?.executor ?? claimed;
    if (lost !== undefined) this.#remembered.set(id, { executor: lost, sessionId: claim.sessionId, soughtIn: version });
    throw lostWith(claim.sessionId);
  }

  /** Asks every executor; waits for those that are away. Who holds the session is told to its home. */
  async whoHolds(id: string, signal?: AbortSignal): Promise<{ executor: Executor; sessionId: string } | undefined> {
    const { executors, calls } = this.#options;
    const answers = await Promise.all(
      executors.all().map(async (executor) => {
        const claim = await this.ask(executor, id, signal);
        return claim?.is_held === true ? { executor, sessionId: claim.session_id } : undefined;
      }),
    );
    const holder = answers.find((answer) => answer !== undefined);
    if (holder === undefined) return undefined;
    const home = await this.home(id, signal);
    this.questions += 1;
    // The next look-up asks again where this fails.
    const claims = [{ executor: holder.executor.instance, sessions: [holder.sessionId] }];
    await calls.tellClaims(home.address, { claims }).catch(() => undefined);
    return holder;
  }

  /** What one executor knows of a session; undefined where it is lost meanwhile. */
  async ask(executor: Executor, id: string, signal?: AbortSignal): Promise<Claim | undefined> {
    const { calls, executors } = this.#options;
    while ((await executor.decided(signal)) === "reachable") {
      try {
        this.questions += 1;
        return await calls.claimOf(executor.address, id);
      } catch (error) {
        if (!isConnectionFault(error)) throw error;
        executors.suspect(executor);
      }
    }
    return undefined;
  }

  async #askHome(id: string, signal?: AbortSignal): Promise<{ executor: string | null; sessionId: string }> {
    for (;;) {
      const home = await this.home(id, signal);
      const claim = await this.ask(home, id, signal);
      if (claim !== undefined) return { executor: claim.is_held ? home.instance : claim.executor, sessionId: claim.session_id };
    }
  }

  #found(id: string, executor: Executor, sessionId: string): Place {
    this.remember(id, executor, sessionId);
    return { executor, sessionId, isFresh: true };
  }
}

/** Whether a request failed on its way, or waited too long; what an executor answered is another matter. */
export function isConnectionFault(error: unknown): boolean {
  return error instanceof Error && !(error instanceof AppError) && !(error instanceof SyntaxError);
}

function unknown(id: string): AppError {
  return new AppError("session_not_found", `There is no session ${id.slice(0, 128)}.`);
}

function lostWith(sessionId: string): AppError {
  return new AppError(
    "executor_lost",
    `The executor that held session ${sessionId.slice(0, 128)} is lost, and the session's variables with it; its files are left where executors share a work directory.`,
  );
}
