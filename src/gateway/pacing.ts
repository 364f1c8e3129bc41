/** How often a gateway speaks to executors of its own accord: with thousands, no more in a second than with hundreds. */
import { setTimeout as pause } from "node:timers/promises";

/** Questions how executors are. */
const MOST_POLLS_PER_SECOND = 200;
/** Messages of rounds that tell where sessions are: the longer one takes, the longer a home's "no" is not believed. */
export const MOST_TOLD_PER_SECOND = 500;
/** Timers are no finer. */
const WORTH_A_PAUSE_MS = 20;

/**
 * Between two questions to one executor that is not in use.
 * @param count Of executors.
 * @param leastMs Between two questions to one that is.
 */
export function idlePollMs(count: number, leastMs: number): number {
  return Math.max(leastMs, (count / MOST_POLLS_PER_SECOND) * 1_000);
}

/**
 * What the first round of a gateway that starts may take before it counts as held up.
 * @param count Of executors, each of which is asked, and told.
 */
export function firstRoundMs(count: number): number {
  return 5_000 + 2 * 2 * (count / MOST_TOLD_PER_SECOND) * 1_000;
}

/** Spaces out what is done for each of many. */
export class Pace {
  #nextAt = 0;

  /** Resolves when the next may begin. */
  async next(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#nextAt = Math.max(now, this.#nextAt + 1_000 / MOST_TOLD_PER_SECOND);
    if (this.#nextAt - now >= WORTH_A_PAUSE_MS) await pause(this.#nextAt - now, undefined, { signal, ref: false });
  }
}

/** Does something for each, so many at a time. @returns whether it went well for all. */
export async function eachAtOnce<T>(items: readonly T[], count: number, action: (item: T) => Promise<void>): Promise<boolean> {
  let isWell = true;
  const rest = items.values();
  const work = async (): Promise<void> => {
    for (const item of rest) await action(item).catch(() => (isWell = false));
  };
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, work));
  return isWell;
}
