/** Timers of any length. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startTimer } from "../../../src/session/timer.ts";

const DAY_MS = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a year is a year", () => {
  const action = vi.fn();
  startTimer(365 * DAY_MS, action);
  vi.advanceTimersByTime(365 * DAY_MS - 1);
  expect(action).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(action).toHaveBeenCalledOnce();
});

test("a cancelled timer never fires, however far it has come", () => {
  const action = vi.fn();
  const cancel = startTimer(60 * DAY_MS, action);
  vi.advanceTimersByTime(40 * DAY_MS);
  cancel();
  vi.advanceTimersByTime(40 * DAY_MS);
  expect(action).not.toHaveBeenCalled();
});

test("no time at all, or less, is soon", () => {
  const action = vi.fn();
  startTimer(0, action);
  startTimer(-5, action);
  vi.advanceTimersByTime(1);
  expect(action).toHaveBeenCalledTimes(2);
});
