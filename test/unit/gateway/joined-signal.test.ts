import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { joinSignals } from "../../../src/gateway/joined-signal.ts";

test("signals that are joined abort together, and let go of each other", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const listeners = () => [one, other].map(({ signal }) => getEventListeners(signal, "abort").length);
  const { signal } = joinSignals(one.signal, other.signal);
  expect(listeners()).toEqual([1, 1]);
  other.abort("reason");
  expect([signal.aborted, signal.reason]).toEqual([true, "reason"]);
  expect(listeners()).toEqual([0, 0]);
  expect(joinSignals(one.signal, other.signal).signal.reason).toBe("reason");
  expect(listeners()).toEqual([0, 0]);
  const unused = joinSignals(one.signal);
  unused.release();
  one.abort();
  expect(unused.signal.aborted).toBe(false);
});
