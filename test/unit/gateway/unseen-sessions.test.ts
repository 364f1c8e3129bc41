import { expect, test } from "vitest";
import type { Readiness } from "../../../src/api/index.ts";
import { Executor } from "../../../src/gateway/executor.ts";
import { UnseenSessions } from "../../../src/gateway/unseen-sessions.ts";

function figures(kernels: number): Readiness {
  return { status: "ready", sessions: kernels, executions: 0, kernels, max_sessions: 100 };
}

function executorsOf(unseen: UnseenSessions, count: number): Executor[] {
  return Array.from(
    { length: count },
    (_, index) => new Executor({ address: { origin: `http://${index}:1` }, instance: String(index), figures: figures(0), unseen }),
  );
}

test("executors that were asked long ago count with what others are likely to have sent meanwhile", () => {
  const [asked, rarely] = executorsOf(new UnseenSessions(), 2);
  // As many come by others as by this gateway.
  for (let kernels = 2; kernels <= 20; kernels += 2) {
    asked!.noteSession();
    asked!.update(figures(kernels));
  }
  expect(asked!.kernels).toBe(20);
  expect(rarely!.kernels).toBeCloseTo(10);
  rarely!.update(figures(7));
  expect(rarely!.kernels).toBe(7);
});

test("where others send what this gateway sends, an executor counts with as many more as were sent there, and no other does", () => {
  const [chosen, passedBy] = executorsOf(new UnseenSessions(), 2);
  for (const [kernels, sent] of [
    [4, 2],
    [10, 3],
    [12, 1],
  ] as const) {
    for (let count = 0; count < sent; count += 1) chosen!.noteSession();
    chosen!.update(figures(kernels));
    passedBy!.update(figures(0));
  }
  for (let count = 0; count < 5; count += 1) chosen!.noteSession();
  expect(chosen!.kernels).toBeCloseTo(22);
  expect(passedBy!.kernels).toBeCloseTo(0);
});

test("sessions that end, or are not there yet when figures are made, take nothing off what was sent", () => {
  const [one, other] = executorsOf(new UnseenSessions(), 2);
  for (const kernels of [0, 1, 0]) {
    one!.noteSession();
    one!.update(figures(kernels));
    other!.noteSession();
    other!.noteSession();
    other!.update(figures(0));
  }
  one!.noteSession();
  expect(one!.kernels).toBeGreaterThanOrEqual(1);
});

test("a gateway that is alone expects nothing of others", () => {
  const [one, other] = executorsOf(new UnseenSessions(), 2);
  for (const kernels of [1, 2, 3]) {
    one!.noteSession();
    one!.update(figures(kernels));
  }
  one!.noteSession();
  expect([one!.kernels, other!.kernels]).toEqual([4, 0]);
});

test("what ends or comes while this gateway sends nothing teaches nothing about the next it sends", () => {
  const [one, other] = executorsOf(new UnseenSessions(), 2);
  one!.update(figures(50));
  one!.noteSession();
  expect([one!.kernels, other!.kernels]).toEqual([51, 0]);
});
