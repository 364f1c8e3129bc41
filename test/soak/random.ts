/** Random numbers that a seed repeats: each part of a run draws from a stream of its own, so that none depends on the others' timing. */

/** A stream of random numbers. */
export interface Random {
  /** At least 0 and below 1. */
  next(): number;
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  /** True in one of so many cases. */
  oneIn(count: number): boolean;
  pick<T>(values: readonly T[]): T;
}

/** The seed of this run: `TASKWEAVER_SEED`, else a new one. */
export function chosenSeed(): number {
  const given = process.env["TASKWEAVER_SEED"];
  return given === undefined || given === "" ? Math.floor(Math.random() * 2 ** 31) : Number(given);
}

/**
 * The stream of one part of a run.
 * @param part Names the part; each has its own numbers.
 */
export function randomOf(seed: number, part: string): Random {
  let state = seed >>> 0;
  for (const character of part) state = Math.imul(state ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  const next = (): number => {
    // mulberry32, of Tommy Ettinger, public domain
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return { next, between, oneIn: (count) => between(1, count) === 1, pick: (values) => values[between(0, values.length - 1)]! };
}
