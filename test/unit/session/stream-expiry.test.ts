/** Streams are kept for their time after the end, and no longer. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StreamExpiry } from "../../../src/session/stream-expiry.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("each expires its time after it was added, with one timer for all", () => {
  const expiry = new StreamExpiry(1000);
  const [first, second] = [vi.fn(), vi.fn()];
  expiry.add(first);
  vi.advanceTimersByTime(400);
  expiry.add(second);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(599);
  expect(first).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 0]);
  vi.advanceTimersByTime(400);
  expect(second).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});

test("a retention of weeks is kept", () => {
  const day = 86_400_000;
  const expire = vi.fn();
  new StreamExpiry(40 * day).add(expire);
  vi.advanceTimersByTime(39 * day);
  expect(expire).not.toHaveBeenCalled();
  vi.advanceTimersByTime(day);
  expect(expire).toHaveBeenCalledOnce();
});

test("closing expires all at once, and what is added later too", () => {
  const expiry = new StreamExpiry(1000);
  const expired: number[] = [];
  for (const number of [1, 2]) expiry.add(() => expired.push(number));
  expiry.close();
  expiry.add(() => expired.push(3));
  expiry.close();
  expect(expired).toEqual([1, 2, 3]);
  expect(vi.getTimerCount()).toBe(0);
});
