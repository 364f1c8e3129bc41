/** Tells the homes of all sessions who holds them: after executors have come or gone, and now and then, so that every mistake heals. */
import { setMaxListeners } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { ClaimLists } from "../api/index.ts";
import type { Executor } from "./executor.ts";
import type { ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";
import { eachAtOnce, Pace } from "./pacing.ts";
import { joinSignals } from "./joined-signal.ts";
import { seedOf, type Rendezvous, type Seed } from "./rendezvous.ts";
import { isConnectionFault, type SessionFinder } from "./session-finder.ts";

/** What telling needs. */
export interface ClaimTellerOptions {
  executors: Pick<Executors, "all" | "homes" | "changes" | "onChange" | "suspect" | "meet">;
  finder: Pick<SessionFinder, "hint">;
  calls: Pick<ExecutorCalls, "sessionIds" | "tellClaims">;
  homeKeyOf: (id: string) => string;
  logger: Logger;
  /** Between two rounds where nothing changes. */
  everyMs?: number;
  /** After a change: several executors that come or go together are one change. */
  afterChangeMs?: number;
  /** How often executors are spoken to. */
  pace?: Pick<Pace, "next">;
}

const EVERY_MS = 300_000;
const AFTER_CHANGE_MS = 500;
const AT_ONCE = 16;

/** Goes round the executors. */
export class ClaimTeller {
  readonly #options: ClaimTellerOptions;
  readonly #closed = new AbortController();
  readonly #pace: Pick<Pace, "next">;
  #changed = new AbortController();

  constructor(options: ClaimTellerOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closed.signal);
    this.#pace = options.pace ?? new Pace();
    options.executors.onChange(() => this.#changed.abort());
  }

  /** Goes round until {@link close}. */
  async start(): Promise<void> {
    const { everyMs = EVERY_MS, afterChangeMs = AFTER_CHANGE_MS, logger } = this.#options;
    let wholeAt = Number.NEGATIVE_INFINITY;
    while (!this.#closed.signal.aborted) {
      this.#changed = new AbortController();
      const isWhole = performance.now() - wholeAt >= everyMs;
      const isDone = await (isWhole ? this.tellAll() : this.tellMoved()).catch((error: unknown) => {
        if (!this.#closed.signal.aborted) logger.warn({ error }, "sessions could not be told to their homes");
        return false;
      });
      if (isDone && isWhole) wholeAt = performance.now();
      const { signal, release } = joinSignals(this.#closed.signal, this.#changed.signal);
      await pause(isDone ? wholeAt + everyMs - performance.now() : afterChangeMs, undefined, { signal, ref: false }).catch(() => undefined);
      release();
      await pause(afterChangeMs, undefined, { signal: this.#closed.signal, ref: false }).catch(() => undefined);
    }
  }

  /** Tells of all sessions. @returns whether all executors were reached. */
  async tellAll(): Promise<boolean> {
    return this.#tell(() => true);
  }

  /** Tells of those sessions whose homes have changed, or whose executors have come or begun to drain, since the last time. */
  async tellMoved(): Promise<boolean> {
    const changes = this.#options.executors.changes.untold();
    if (changes.length === 0) return true;
    const changed = new Set(changes.map(({ executor }) => executor));
    return this.#tell((key, holder, homes) => changed.has(holder) || changes.some(({ executor }) => homes.wouldBeHome(key, executor.seed)));
  }

  close(): void {
    this.#closed.abort();
  }

  async #tell(isToTell: (key: Seed, holder: Executor, homes: Rendezvous<Executor>) => boolean): Promise<boolean> {
    const { executors, finder, calls, homeKeyOf } = this.#options;
    // What changes meanwhile is the next round's.
    const { homes } = executors;
    const { version } = executors.changes;
    const byHome = new Map<Executor, Map<Executor, string[]>>();
    const isAsked = await eachAtOnce(executors.all(), AT_ONCE, async (executor) => {
      const { sessions, draining } = (await this.#speakTo(executor, () => calls.sessionIds(executor.address))) ?? {
        sessions: [],
        draining: [],
      };
      await Promise.all(draining.map(async (other) => executors.meet(other.executor, other.at)));
      for (const id of sessions) {
        finder.hint(id, executor);
        const key = seedOf(homeKeyOf(id));
        const home = isToTell(key, executor, homes) ? homes.homeOf(key) : undefined;
        if (home === undefined) continue;
        const lists = byHome.get(home) ?? new Map<Executor, string[]>();
        byHome.set(home, lists);
        const ids = lists.get(executor) ?? [];
        lists.set(executor, ids);
        ids.push(id);
      }
    });
    const isTold = await eachAtOnce([...byHome], AT_ONCE, async ([home, lists]) => {
      const claims: ClaimLists["claims"] = [...lists].map(([{ instance, at }, sessions]) => ({ executor: instance, at, sessions }));
      await this.#speakTo(home, () => calls.tellClaims(home.address, { claims }));
    });
    if (isAsked && isTold) executors.changes.noteTold(version);
    return isAsked && isTold;
  }

  /** @returns undefined where the executor is lost meanwhile: what was its own is gone, and its ids have other homes in the next round. */
  async #speakTo<T>(executor: Executor, speak: () => Promise<T>): Promise<T | undefined> {
    await this.#pace.next(this.#closed.signal);
    try {
      return await speak();
    } catch (error) {
      if (isConnectionFault(error)) this.#options.executors.suspect(executor);
      if ((await executor.decided(this.#closed.signal)) === "lost") return undefined;
      throw error;
    }
  }
}
