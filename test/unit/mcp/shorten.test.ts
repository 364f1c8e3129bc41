/** Long text for a model. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cut, shorten } from "../../../src/mcp/shorten.ts";

describe("a text", () => {
  test("that is short enough stays as it is", () => {
    expect(shorten("x".repeat(10), () => expect.unreachable(), 10)).toBe("x".repeat(10));
  });

  test("that is too long keeps its beginning and end, and says where to read on", () => {
    const text = `${"a".repeat(10)}${"b".repeat(80)}${"c".repeat(10)}`;
    expect(shorten(text, (offset) => `go on at ${offset}`, 20)).toBe(
      "aaaaaaaaaa\n[... 80 of 100 characters are left out here; go on at 10 ...]\ncccccccccc",
    );
  });

  test("is never cut in the middle of a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(50), fc.nat(50), (text, start, length) => {
        const wellFormed = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
        fc.pre(!wellFormed.test(text));
        expect(cut(text, start, start + length)).not.toMatch(wellFormed);
      }),
    );
  });

  test("in parts is the whole text", () => {
    const text = "😀".repeat(50);
    let read = "";
    while (read.length < text.length) read += cut(text, read.length, read.length + 7);
    expect(read).toBe(text);
  });
});
