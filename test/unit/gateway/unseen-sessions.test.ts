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

test("nothing is expected of others where none send anything, or more sessions end than come", () => {
  const [alone, idle] = executorsOf(new UnseenSessions(), 2);
  alone!.noteSession();
  alone!.update(figures(1));
  expect(idle!.kernels).toBe(0);
  alone!.noteSession();
  alone!.update(figures(0));
  alone!.noteSession();
  expect([alone!.kernels, idle!.kernels]).toEqual([1, 0]);
});

test("what ends or comes while this gateway sends nothing teaches nothing about the next it sends", () => {
  const [one, other] = executorsOf(new UnseenSessions(), 2);
  one!.update(figures(50));
  one!.noteSession();
  expect([one!.kernels, other!.kernels]).toEqual([51, 0]);
});
