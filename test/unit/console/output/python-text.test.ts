/** Values read as Python writes them. */
import { expect, test } from "vitest";
import { outputText, pythonText } from "../../../../console/output/python-text.ts";

test("a text stands for itself, as a value of its own", () => {
  expect(outputText("   a\n0  1")).toBe("   a\n0  1");
});

test("JSON's words become Python's", () => {
  expect(outputText([true, false, null, 1, 2.5])).toBe("[True, False, None, 1, 2.5]");
  expect(outputText({ a: { b: [] } })).toBe("{'a': {'b': []}}");
  expect(outputText(null)).toBe("None");
  expect(outputText({})).toBe("{}");
});

test("texts inside have the quotes and escapes that Python chooses", () => {
  expect(pythonText(["it's", 'say "hi"', `both ' and "`, "a\nb\\c\u0007"])).toBe(
    String.raw`["it's", 'say "hi"', 'both \' and "', 'a\nb\\c\x07']`,
  );
});

test("what does not fit on a line is spread over several", () => {
  const text = pythonText({ first: Array.from({ length: 30 }, (_, index) => index), second: "short" });
  expect(text.split("\n").length).toBeGreaterThan(2);
  expect(text.startsWith("{'first': [0,\n")).toBe(true);
  expect(text.endsWith("\n 'second': 'short'}")).toBe(true);
});
