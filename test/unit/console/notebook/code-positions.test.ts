/** Positions: what JavaScript counts and what Python counts. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromCodePoints, toCodePoints } from "../../../../console/notebook/code-positions.ts";

test("a character beyond the first plane is two units and one code point", () => {
  expect(toCodePoints("😀.lo", 3)).toBe(2);
  expect(fromCodePoints("😀.lo", 2)).toBe(3);
});

test("there and back is where one was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(20), (text, count) => {
      const most = Array.from(text).length;
      expect(toCodePoints(text, fromCodePoints(text, count))).toBe(Math.min(count, most));
    }),
  );
});
