/** Which executor holds a session: remembered, or asked of the session's home, or of all where executors have come or gone. */
import { LRUCache } from "lru-cache";
import type { Claim } from "../api/index.ts";
import { AppError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import type { ExecutorCalls } from "./executor-calls.ts";
import type { Change } from "./executor-changes.ts";
import type { Executors } from "./executors.ts";
import { eachAtOnce } from "./pacing.ts";
import { seedOf } from "./rendezvous.ts";
import { noneReachable } from "./why-unusable.ts";

/** Where a session is. */
export interface Place {
  executor: Executor;
  /** The session's own id, also where it was asked for by its kernel's. */
  sessionId: string;
  /** Whether an executor has just said so. */
  isFresh: boolean;
}

/** An executor that has a session. */
export interface Holder {
  executor: Executor;
  sessionId: string;
}

/** A home that was asked, and what was not settled when it was. */
interface HomeAsked {
  home: Executor;
  changes: readonly Change[];
}

/** What finding needs. */
export interface SessionFinderOptions {
  executors: Pick<Executors, "all" | "homes" | "get" | "suspect" | "refresh" | "meet" | "changes" | "decided">;
  calls: Pick<ExecutorCalls, "claimOf" | "tellClaims" | "dropClaim">;
  /** What an id's home is made from: one text for a session's id and its kernel's. */
  homeKeyOf: (id: string) => string;
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
const MAX_REMEMBERED = 200_000;
/** Executors asked at the same time. */
const AT_ONCE = 128;

/** Finds sessions. What it remembers is only ever a hint: an executor that says no is believed. */
export class SessionFinder {
  readonly #options: SessionFinderOptions;
  readonly #remembered: LRUCache<string, Remembered>;
  /** Questions asked of executors. */
  questions = 0;

  constructor(options: SessionFinderOptions) {
    this.#options = options;
    this.#remembered = new LRUCache({ max: options.maxRemembered ?? MAX_REMEMBERED });
  }

  remember(id: string, executor: Executor, sessionId = id): void {
    this.#remembered.set(id, { executor, sessionId });
  }

  /** The same, where it takes the place of nothing that was asked for. */
  hint(id: string, executor: Executor): void {
    if (this.#remembered.size < this.#remembered.max) this.remember(id, executor);
  }

  /** It is not there (any more). */
  forget(id: string, executor: Executor): void {
    if (this.#remembered.peek(id)?.executor === executor) this.#remembered.delete(id);
  }

  /** The executor that an id's claim is kept by; waits for one that is away. @throws AppError `no_executor`. */
  async home(id: string, signal?: AbortSignal): Promise<Executor> {
    const { executors, homeKeyOf } = this.#options;
    for (;;) {
      const home = executors.homes.homeOf(seedOf(homeKeyOf(id)));
      if (home === undefined) throw noneReachable();
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
    try {
      return await this.#findAmongKnown(id, signal);
    } catch (error) {
      if (!(error instanceof AppError) || !(await this.#options.executors.decided(signal))) throw error;
      return this.#findAmongKnown(id, signal);
    }
  }

  async #findAmongKnown(id: string, signal?: AbortSignal): Promise<Place> {
    const known = this.#remembered.get(id);
    if (known !== undefined && known.executor.state !== "lost") {
      return { executor: known.executor, sessionId: known.sessionId, isFresh: false };
    }
    const { executors } = this.#options;
    const { version } = executors.changes;
    const claim = await this.#askHome(id, signal);
    const claimed = claim.executor === null ? undefined : await this.#executorNamed(claim.executor, claim.at);
    if (claimed !== undefined && claimed.state !== "lost") return this.#found(id, claimed, claim.sessionId);
    // Its home is asked each time, since the id may have been taken anew; the others once for each time that executors come or go.
    if (known?.soughtIn !== version) {
      const holder = await this.#askOthers(id, claim, signal);
      if (holder !== undefined) return this.#found(id, holder.executor, holder.sessionId);
    }
    if (known === undefined && claim.executor === null) throw unknown(id);
    const lost = known?.executor ?? claimed;
    if (lost !== undefined) this.#remembered.set(id, { executor: lost, sessionId: claim.sessionId, soughtIn: version });
    throw lostWith(claim.sessionId);
  }

  /** The same for what cannot be sent again: what is remembered is asked whether it still holds. */
  async findSurely(id: string, signal?: AbortSignal): Promise<Place> {
    const place = await this.find(id, signal);
    if (place.isFresh || (await this.ask(place.executor, id, signal))?.is_held === true) return place;
    this.forget(id, place.executor);
    return this.find(id, signal);
  }

  /**
   * Who holds a session whose home may not know it yet; undefined where nobody does, or only its home can know.
   * Who does is told to the home.
   */
  async holderBesideHome(id: string, signal?: AbortSignal): Promise<Holder | undefined> {
    const { executors } = this.#options;
    return this.#askOthers(id, { home: await this.home(id, signal), changes: executors.changes.unsettled() }, signal);
  }

  async #askOthers(id: string, { home, changes }: HomeAsked, signal?: AbortSignal): Promise<Holder | undefined> {
    const { executors, calls, homeKeyOf } = this.#options;
    const unsettled = [...changes, ...executors.changes.unsettled()];
    const all = executors.all();
    // One that drains is a home only where nobody else is left: then homes are others than when sessions were told to them.
    const others = home.state === "draining" ? all : executors.changes.whoElse(seedOf(homeKeyOf(id)), executors.homes, unsettled, all);
    let holder: Holder | undefined;
    await eachAtOnce(others, AT_ONCE, async (executor) => {
      if (holder !== undefined) return;
      const claim = await this.ask(executor, id, signal);
      if (claim?.is_held === true) holder = { executor, sessionId: claim.session_id };
    });
    signal?.throwIfAborted();
    if (holder === undefined) return undefined;
    const now = await this.home(id, signal);
    this.questions += 1;
    // The next look-up asks again where this fails.
    const claims = [{ executor: holder.executor.instance, at: holder.executor.at, sessions: [holder.sessionId] }];
    await calls.tellClaims(now.address, { claims }).catch(() => undefined);
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

  async #askHome(id: string, signal?: AbortSignal): Promise<HomeAsked & { executor: string | null; at: Claim["at"]; sessionId: string }> {
    for (;;) {
      const changes = this.#options.executors.changes.unsettled();
      const home = await this.home(id, signal);
      const claim = await this.ask(home, id, signal);
      if (claim === undefined) continue;
      return { home, changes, executor: claim.is_held ? home.instance : claim.executor, at: claim.at, sessionId: claim.session_id };
    }
  }

  /** Another gateway may have seen a new executor before this one, or one that drains and is listed no more. */
  async #executorNamed(instance: string, at: Claim["at"]): Promise<Executor | undefined> {
    const { executors } = this.#options;
    const known = executors.get(instance);
    if (known !== undefined) return known;
    await executors.refresh();
    return executors.get(instance) ?? (at ? executors.meet(instance, at) : undefined);
  }

  /** A session was ended: its id is free. */
  async end({ executor, sessionId }: Holder, id: string): Promise<void> {
    this.forget(id, executor);
    this.forget(sessionId, executor);
    executor.isStale = true;
    try {
      const home = await this.home(id);
      this.questions += 1;
      await this.#options.calls.dropClaim(home.address, sessionId, executor.instance);
    } catch {
      // A claim that stays leads to an executor that says no.
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
