/** The simulation of the benchmark, small: the gateways' own code with executors and sessions that come and go. */
import { expect, test } from "vitest";
import { simulate } from "../../../bench/placement/simulation.ts";

test("sessions spread evenly, all are found, and what one costs stays bounded while executors come and go", async () => {
  const options = { executors: 60, sessions: 1_200, gateways: 2, fillSeconds: 5, livelySeconds: 30, turnover: 0.02, changesPerSecond: 0.3 };
  const figures = await simulate({ ...options, seed: 7 });
  expect(figures.faults).toBe(0);
  expect(figures.lost).toBeGreaterThan(0);
  expect(Math.max(figures.spread.full, figures.spread.end)).toBeLessThan(1.6);
  expect(figures.questions.make.calm).toBe(1);
  expect(figures.questions.find.calm).toBeLessThanOrEqual(1);
  expect(figures.questions.make.lively).toBeLessThan(20);
  expect(figures.questions.find.lively).toBeLessThan(3);
  // Each executor is asked for its sessions once for each change, and told of those that moved.
  expect(figures.tellingPerChange).toBeLessThan(2 * options.executors);
}, 30_000);
