import { describe, expect, test } from "vitest";
import { place, type Candidate } from "../../../src/gateway/placement.ts";

const GIB = 1024 ** 3;

function candidate(over: Partial<Candidate> = {}): Candidate {
  return { labels: [], kernels: 0, maxSessions: 100, load: 0, memoryAvailableBytes: 8 * GIB, memoryTotalBytes: 16 * GIB, ...over };
}

describe("a new session", () => {
  test("goes where all labels are that it requires", () => {
    const gpu = candidate({ labels: ["gpu", "big"], kernels: 90 });
    expect(place([candidate(), candidate({ labels: ["gpu"] }), gpu], { requires: ["gpu", "big"] })).toBe(gpu);
    expect(place([candidate()], { requires: ["gpu"] })).toBeUndefined();
    expect(place([], { requires: [] })).toBeUndefined();
  });

  test("goes where fewest sessions are, where the figures are alike else", () => {
    const least = candidate({ kernels: 3 });
    expect(place([candidate({ kernels: 4 }), least, candidate({ kernels: 5 })], { requires: [] })).toBe(least);
  });

  test("goes where load and memory leave most room", () => {
    const idle = candidate();
    expect(place([candidate({ load: 1.5 }), idle], { requires: [] })).toBe(idle);
    expect(place([candidate({ memoryAvailableBytes: GIB }), idle], { requires: [] })).toBe(idle);
  });

  test("passes by who is full, or has hardly any memory left, as long as anybody else is there", () => {
    const full = candidate({ kernels: 100 });
    const starved = candidate({ memoryAvailableBytes: GIB / 10 });
    const busy = candidate({ kernels: 99, load: 4 });
    expect(place([full, starved, busy], { requires: [] })).toBe(busy);
    expect(place([full, starved], { requires: [] })).toBe(starved);
    expect(place([full], { requires: [] })).toBe(full);
  });

  test("of sixty on three alike spreads evenly", () => {
    const executors = [candidate(), candidate(), candidate()];
    for (let index = 0; index < 60; index += 1) {
      const chosen = place(executors, { requires: [] });
      if (chosen !== undefined) chosen.kernels += 1;
    }
    expect(executors.map(({ kernels }) => kernels)).toEqual([20, 20, 20]);
  });

  test("among many is not always sent to the very best: gateways that know the same would all choose it", () => {
    const executors = Array.from({ length: 50 }, (_, index) => candidate({ kernels: index }));
    const chosen = new Set(Array.from({ length: 200 }, () => place(executors, { requires: [] })));
    expect(chosen.size).toBeGreaterThan(10);
  });
});
