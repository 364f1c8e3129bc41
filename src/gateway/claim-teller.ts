/** Tells the homes of all sessions who holds them: after executors have come or gone, and now and then, so that every mistake heals. */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { ClaimLists } from "../api/index.ts";
import type { Executor } from "./executor.ts";
import type { ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";
import type { SessionFinder } from "./session-finder.ts";

/** What telling needs. */
export interface ClaimTellerOptions {
  executors: Executors;
  finder: SessionFinder;
  calls: Pick<ExecutorCalls, "sessionIds" | "tellClaims">;
  homeKeyOf: (id: string) => string;
  logger: Logger;
  /** Between two rounds where nothing changes. */
  everyMs?: number;
  /** After a change: several executors that come or go together are one change. */
  afterChangeMs?: number;
}

const EVERY_MS = 300_000;
const AFTER_CHANGE_MS = 500;
const AT_ONCE = 16;

/** Goes round the executors. */
export class ClaimTeller {
  readonly #options: ClaimTellerOptions;
  readonly #closed = new AbortController();
  #changed = new AbortController();

  constructor(options: ClaimTellerOptions) {
    this.#options = options;
    options.executors.onChange(() => this.#changed.abort());
  }

  /** Goes round until {@link close}. */
  async start(): Promise<void> {
    const { everyMs = EVERY_MS, afterChangeMs = AFTER_CHANGE_MS, logger } = this.#options;
    while (!this.#closed.signal.aborted) {
      this.#changed = new AbortController();
      const isDone = await this.tell().catch((error: unknown) => {
        logger.warn({ error }, "sessions could not be told to their homes");
        return false;
      });
      const signal = AbortSignal.any([this.#closed.signal, this.#changed.signal]);
      await pause(isDone ? everyMs : afterChangeMs, undefined, { signal, ref: false }).catch(() => undefined);
      await pause(afterChangeMs, undefined, { signal: this.#closed.signal, ref: false }).catch(() => undefined);
    }
  }

  /** One round. @returns whether all were reached and none came or went meanwhile. */
  async tell(): Promise<boolean> {
    const { executors, finder, calls, homeKeyOf } = this.#options;
    const { version, homes } = executors;
    const byHome = new Map<Executor, Map<string, string[]>>();
    const isAsked = await eachAtOnce(executors.all(), AT_ONCE, async (executor) => {
      const { sessions } = await calls.sessionIds(executor.address);
      for (const id of sessions) {
        finder.remember(id, executor);
        const home = homes.homeOf(homeKeyOf(id));
        if (home === undefined) continue;
        const lists = byHome.get(home) ?? new Map<string, string[]>();
        byHome.set(home, lists);
        const ids = lists.get(executor.instance) ?? [];
        lists.set(executor.instance, ids);
        ids.push(id);
      }
    });
    const isTold = await eachAtOnce([...byHome], AT_ONCE, async ([home, lists]) => {
      const claims: ClaimLists["claims"] = [...lists].map(([executor, sessions]) => ({ executor, sessions }));
      await calls.tellClaims(home.address, { claims });
    });
    if (!isAsked || !isTold || executors.version !== version) return false;
    finder.noteTold(version);
    return true;
  }

  close(): void {
    this.#closed.abort();
  }
}

/** Does something for each, so many at a time. @returns whether it went well for all. */
async function eachAtOnce<T>(items: readonly T[], count: number, action: (item: T) => Promise<void>): Promise<boolean> {
  let isWell = true;
  const rest = [...items];
  const work = async (): Promise<void> => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
      await action(item).catch(() => (isWell = false));
    }
  };
  await Promise.all(Array.from({ length: count }, work));
  return isWell;
}
