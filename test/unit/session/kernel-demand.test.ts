/** Demand for kernels: what was taken of late says how many should wait, and for how long. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { KernelDemand } from "../../../src/session/kernel-demand.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

function demandAfter(claims: number, most = 4): KernelDemand {
  const demand = new KernelDemand(most);
  for (let claim = 0; claim < claims; claim += 1) demand.note();
  return demand;
}

it("one kernel waits where nobody asks, for as long as it takes", () => {
  const demand = demandAfter(0);
  expect([demand.wanted, demand.allowed, demand.msUntilBelow(1)]).toEqual([1, 1, undefined]);
});

it("as many are wanted as were taken in the last half minute, but no more than may wait", () => {
  expect(demandAfter(3).wanted).toBe(3);
  const demand = demandAfter(1000);
  expect(demand.wanted).toBe(4);
  vi.advanceTimersByTime(29_999);
  expect(demand.wanted).toBe(4);
  vi.advanceTimersByTime(1);
  expect(demand.wanted).toBe(1);
});

it("what waits is allowed to for five minutes more than it is wanted, so that who asks now and then finds it", () => {
  const demand = demandAfter(3);
  vi.advanceTimersByTime(299_999);
  expect([demand.wanted, demand.allowed, demand.msUntilBelow(3)]).toEqual([1, 3, 1]);
  vi.advanceTimersByTime(1);
  expect([demand.allowed, demand.msUntilBelow(3)]).toEqual([1, 0]);
});

it("the number that is allowed falls one by one, as the claims grow old", () => {
  const demand = demandAfter(1);
  vi.advanceTimersByTime(1000);
  demand.note();
  demand.note();
  expect([3, 2, 1].map((count) => demand.msUntilBelow(count))).toEqual([299_000, 300_000, undefined]);
});

it("none waits where none may", () => {
  const demand = demandAfter(3, 0);
  expect([demand.wanted, demand.allowed]).toEqual([0, 0]);
});
