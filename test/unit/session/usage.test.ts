/** Whether anybody uses the server. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Usage } from "../../../src/session/usage.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a lease", () => {
  test("holds for its time, and longer where it is renewed", () => {
    const usage = new Usage();
    usage.takeLease("l", 60);
    vi.advanceTimersByTime(59_000);
    usage.renewLease("l", 60);
    vi.advanceTimersByTime(59_000);
    expect(usage.isUnusedFor(1)).toBe(false);
    vi.advanceTimersByTime(1000);
    expect(usage.isUnusedFor(1)).toBe(true);
  });

  test("that ran out, or never was, can be neither renewed nor given back", () => {
    const usage = new Usage();
    usage.takeLease("l", 1);
    vi.advanceTimersByTime(1000);
    const unknown = expect.objectContaining({ code: "lease_not_found", status: 404 });
    expect(() => usage.renewLease("l", 1)).toThrow(unknown);
    expect(() => usage.endLease("l")).toThrow(unknown);
    expect(() => usage.endLease("other")).toThrow(unknown);
  });

  test("given back says what it had left, and holds no more", () => {
    const usage = new Usage();
    usage.takeLease("l", 60);
    vi.advanceTimersByTime(20_000);
    expect(usage.endLease("l")).toBe(40);
    expect(usage.isUnusedFor(1000)).toBe(true);
  });

  test("can be taken anew", () => {
    const usage = new Usage();
    usage.takeLease("l", 1);
    usage.takeLease("l", 100);
    vi.advanceTimersByTime(50_000);
    expect(usage.endLease("l")).toBe(50);
  });

  test("that ran out is not kept: ten thousand short ones leave nothing", () => {
    const usage = new Usage();
    for (let count = 0; count < 10_000; count += 1) {
      usage.takeLease(`l${count}`, 1);
      if (count % 1000 === 0) vi.advanceTimersByTime(2000);
    }
    vi.advanceTimersByTime(2000);
    usage.takeLease("last", 1);
    expect(usage.leaseCount).toBe(1);
  });
});

test("before the first lease its client has half a minute to take one, however short the time without use may be", () => {
  const usage = new Usage();
  vi.advanceTimersByTime(29_999);
  expect(usage.isUnusedFor(1000)).toBe(false);
  vi.advanceTimersByTime(1);
  expect(usage.isUnusedFor(1000)).toBe(true);
  expect(usage.isUnusedFor(60_000)).toBe(false);
});

test("a server that is about to end promises nobody that it stays", () => {
  const usage = new Usage();
  usage.takeLease("l", 60);
  usage.close();
  const ending = expect.objectContaining({ code: "shutting_down", status: 503 });
  expect(() => usage.takeLease("other", 60)).toThrow(ending);
  expect(() => usage.renewLease("l", 60)).toThrow(ending);
  expect(usage.endLease("l")).toBe(60);
});

test("a request counts as use from when it came", () => {
  const usage = new Usage();
  usage.takeLease("l", 60);
  usage.endLease("l");
  vi.advanceTimersByTime(1000);
  expect(usage.isUnusedFor(1000)).toBe(true);
  usage.noteRequest();
  expect(usage.isUnusedFor(1000)).toBe(false);
  vi.advanceTimersByTime(999);
  expect(usage.isUnusedFor(1000)).toBe(false);
  vi.advanceTimersByTime(1);
  expect(usage.isUnusedFor(1000)).toBe(true);
});
