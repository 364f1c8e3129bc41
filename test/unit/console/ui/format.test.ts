/** Times and sizes as people read them. */
import { expect, test } from "vitest";
import { formatAgo, formatBytes, formatDuration } from "../../../../console/ui/format.ts";

test("durations have the unit that fits", () => {
  expect([0, 340, 9_940, 12_345, 65_000, 7_300_000, 200_000_000].map(formatDuration)).toEqual([
    "0.0 s",
    "0.3 s",
    "9.9 s",
    "12 s",
    "1 min",
    "2 h",
    "2 d",
  ]);
});

test("a clock that is a little off makes no negative times", () => {
  expect(formatDuration(-50)).toBe("0.0 s");
  expect(formatAgo(-50)).toBe("just now");
  expect(formatAgo(9_300)).toBe("9 s ago");
});

test("sizes have the unit that fits", () => {
  expect([0, 999, 1000, 1_450, 99_999, 999_600, 23_000_000, 1.5e12].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.4 kB",
    "100 kB",
    "1.0 MB",
    "23 MB",
    "1.5 TB",
  ]);
});
