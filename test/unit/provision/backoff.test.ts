/** What fails again and again is tried less and less often. */
import { expect, test } from "vitest";
import { Backoff } from "../../../src/provision/backoff.ts";

test("the first failures cost nothing, each later one doubles the wait up to the most, and a success ends it", () => {
  let now = 0;
  const backoff = new Backoff({ freeFailures: 2, firstMs: 1000, mostMs: 3000, now: () => now });
  const waits: number[] = [];
  for (let count = 0; count < 6; count += 1) {
    backoff.noteFailure();
    waits.push(backoff.waitMs);
    now += backoff.waitMs;
    expect(backoff.waitMs).toBe(0);
  }
  expect(waits).toEqual([0, 0, 1000, 2000, 3000, 3000]);
  backoff.noteFailure();
  backoff.reset();
  expect([backoff.waitMs, backoff.failures]).toEqual([0, 0]);
});
