/** Taking samples: timed calls, compared things by turns, many calls in flight. */
import type { Series } from "./result.ts";

/** Something that is compared: `sample` resolves with a few samples of it. */
export interface Subject {
  who: string;
  sample: () => Promise<readonly number[]>;
}

/**
 * Takes samples of all subjects by turns, so that what else the machine does meets all of them alike.
 * @param rounds After one more to warm up, which does not count.
 */
export async function byTurns(rounds: number, subjects: readonly Subject[]): Promise<Series[]> {
  const series = subjects.map(({ who }) => ({ who, samples: [] as number[] }));
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, subject] of subjects.entries()) {
      const samples = await subject.sample();
      if (round >= 0) series[index]?.samples.push(...samples);
    }
  }
  return series;
}

/** How long a call takes, in ms. */
export async function timed(call: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await call();
  return performance.now() - started;
}

/** Times a call several times, one after the other. */
export async function timedEach(count: number, call: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) samples.push(await timed(() => call(index)));
  return samples;
}

/** Makes a call for each item, a bounded number at a time; all are through when it resolves. */
export async function inFlight<T, R>(limit: number, items: readonly T[], call: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const work = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await call(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  return results;
}

/** Lets the machine come to rest: no condition tells when background work, such as refilling a pool, is through. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Session ids: `name-0`, `name-1`, ... */
export function sessionIds(name: string, count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${from + index}`);
}
