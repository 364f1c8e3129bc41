/** A turn of the event loop: filled for a while, then others are let in. */
import { expect, onTestFinished, test, vi } from "vitest";
import { LoopTurn } from "../../../src/kernel/loop-turn.ts";

test("a turn is over when the work has filled it for long, and the next one begins anew", async () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(1000);
  onTestFinished(() => now.mockRestore());
  const turn = new LoopTurn();
  expect([turn.isOver(), turn.isOver()]).toEqual([false, false]);
  now.mockReturnValue(1009);
  expect(turn.isOver()).toBe(false);
  now.mockReturnValue(1011);
  expect(turn.isOver()).toBe(true);
  let others = 0;
  setImmediate(() => (others += 1));
  await turn.next();
  expect([others, turn.isOver()]).toEqual([1, false]);
});
