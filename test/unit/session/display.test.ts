/** From a MIME bundle to the one form that is kept. */
import { describe, expect, test } from "vitest";
import { richestForm, textOf } from "../../../src/session/display.ts";

const PLOTLY = "application/vnd.plotly.v1+json";

describe("the richest form", () => {
  test.each([
    ["image/png", "image", "png", "base64"],
    ["image/jpeg", "image", "jpg", "base64"],
    ["image/gif", "image", "gif", "base64"],
    ["image/webp", "image", "webp", "base64"],
    ["image/bmp", "image", "bmp", "base64"],
    ["application/pdf", "file", "pdf", "base64"],
    ["image/svg+xml", "svg", "svg", "str"],
    [PLOTLY, "chart", "json", "str"],
    ["application/vnd.vega.v5+json", "chart", "json", "str"],
    ["application/vnd.vegalite.v5+json", "chart", "json", "str"],
    ["application/geo+json", "chart", "json", "str"],
    ["text/html", "html", "html", "str"],
    ["text/latex", "txt", "tex", "str"],
    ["text/markdown", "txt", "md", "str"],
    ["application/json", "txt", "json", "str"],
    ["text/plain", "txt", "txt", "str"],
  ])("of %s is of type %s with the extension %s, written as %s", (mimeType, type, extension, encoding) => {
    const data = { "text/plain": "caption", [mimeType]: "eA==" };
    expect(richestForm(data, true)).toMatchObject({ type, mimeType, extension, encoding, content: "eA==" });
  });

  test("is a picture before a chart before HTML before text, whatever their order", () => {
    const bundle = { "text/plain": "p", "text/html": "<b>", [PLOTLY]: {}, "image/svg+xml": "<svg/>", "image/png": "eA==" };
    const order = ["image/png", "image/svg+xml", PLOTLY, "text/html", "text/plain"];
    const left: Record<string, unknown> = { ...bundle };
    for (const mimeType of order) {
      expect(richestForm(left, true)?.mimeType).toBe(mimeType);
      delete left[mimeType];
    }
    expect(richestForm(left, true)).toBeUndefined();
  });

  test("of a value with nothing but plain text is none: the value is in `output`", () => {
    expect(richestForm({ "text/plain": "3" }, false)).toBeUndefined();
    expect(richestForm({ "text/plain": "3", "text/html": "<b>3</b>" }, false)?.type).toBe("html");
  });

  test("carries the plain text as its caption, of a bounded length", () => {
    expect(richestForm({ "text/html": "x", "text/plain": "<Figure>" }, true)?.preview).toBe("<Figure>");
    expect(richestForm({ "text/html": "x", "text/plain": "y".repeat(5000) }, true)?.preview).toHaveLength(1000);
    expect(richestForm({ "text/html": "x" }, true)?.preview).toBe("");
  });

  test("of an unknown picture has an extension that is safe in a file name", () => {
    expect(richestForm({ "image/x/../../evil": "eA==" }, true)?.extension).toBe("xevil");
    expect(richestForm({ "image/": "eA==" }, true)?.extension).toBe("bin");
  });
});

describe("content", () => {
  test("in base64 comes without line breaks", () => {
    expect(richestForm({ "image/png": "eHh4\neHh4\n" }, true)?.content).toBe("eHh4eHh4");
  });

  test("as a list of lines is joined, as nbformat has it", () => {
    expect(richestForm({ "text/html": ["<p>\n", "</p>"] }, true)?.content).toBe("<p>\n</p>");
  });

  test("of a JSON type is its JSON, lists of strings included", () => {
    expect(richestForm({ "application/json": ["a", "b"] }, true)?.content).toBe('["a","b"]');
    expect(richestForm({ [PLOTLY]: { data: [], layout: {} } }, true)?.content).toBe('{"data":[],"layout":{}}');
  });

  test.each([
    [undefined, ""],
    [null, "null"],
    [3, "3"],
    [{ a: 1 }, '{"a":1}'],
    [["a", 1], '["a",1]'],
  ])("of an odd shape %j is text all the same", (value, text) => {
    expect(textOf(value)).toBe(text);
  });
});
