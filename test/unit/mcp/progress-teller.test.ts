/** Output told as progress. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ProgressTeller } from "../../../src/mcp/progress-teller.ts";

describe("output", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("is told at once, and gathered while the one before is on its way", async () => {
    const told: string[] = [];
    let arrive: () => void = () => undefined;
    const teller = new ProgressTeller((message) => {
      told.push(message);
      return new Promise((resolve) => (arrive = resolve));
    });
    teller.add("a");
    teller.add("b");
    teller.add("c");
    expect(told).toEqual(["a"]);
    arrive();
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["a", "bc"]);
    teller.close();
  });

  test("that is too much is told by its end", async () => {
    const told: string[] = [];
    let arrive: () => void = () => undefined;
    const teller = new ProgressTeller((message) => {
      told.push(message);
      return new Promise((resolve) => (arrive = resolve));
    });
    teller.add("begin");
    for (let index = 0; index < 100; index += 1) teller.add("x".repeat(1000));
    teller.add("end");
    for (let turn = 0; turn < 5; turn += 1) {
      arrive();
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(told.join("").length).toBeLessThan(10_000);
    expect(told[1]).toMatch(/^\[\.\.\.\]\n/);
    expect(told.join("")).toMatch(/end$/);
    teller.close();
  });

  test("that does not come is replaced by a word now and then, until the call is over", async () => {
    const told: string[] = [];
    const teller = new ProgressTeller(async (message) => void told.push(message));
    await vi.advanceTimersByTimeAsync(10_000);
    teller.add("text");
    await vi.advanceTimersByTimeAsync(19_000);
    teller.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["[still running after 10 s]\n", "text", "[still running after 20 s]\n"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is told to nobody any more once that has failed", async () => {
    const tell = vi.fn(() => Promise.reject(new Error("gone")));
    const teller = new ProgressTeller(tell);
    teller.add("a");
    await vi.advanceTimersByTimeAsync(0);
    teller.add("b");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(tell).toHaveBeenCalledTimes(1);
  });
});
