/** Completions: the kernel's answer as the editor takes it. */
import { expect, test } from "vitest";
import { toResult } from "../../../../console/notebook/completion.ts";

test("positions in code points become positions in the editor", () => {
  const code = "s = '😀'; s.lo";
  expect(toResult(code, { matches: ["lower"], cursor_start: 11, cursor_end: 13 })).toMatchObject({ from: 12, to: 14 });
});

test("each match is offered once, by the part behind the dot", () => {
  const result = toResult("df.he", { matches: ["df.head", "df.head", "df.hist"], cursor_start: 0, cursor_end: 5 });
  expect(result?.options).toEqual([
    { label: "df.head", displayLabel: "head" },
    { label: "df.hist", displayLabel: "hist" },
  ]);
});

test("no match is no list", () => {
  expect(toResult("x", { matches: [], cursor_start: 1, cursor_end: 1 })).toBeNull();
});
