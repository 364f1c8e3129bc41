/** Errors as the kernel writes them: their sentence, and the lines of the cell that they point to. */
import { describe, expect, it } from "vitest";
import { readError } from "../../../../console/output/traceback.ts";

const NESTED = [
  "---------------------------------------------------------------------------",
  "ZeroDivisionError                         Traceback (most recent call last)",
  "Cell In[4], line 5",
  "      4 print('hi')",
  "----> 5 f(0)",
  "",
  "Cell In[4], line 2, in f(a)",
  "      1 def f(a):",
  "----> 2     return 1/a",
  "",
  "ZeroDivisionError: division by zero",
].join("\n");

describe("a traceback", () => {
  it("tells the error, its message and the lines of the cell, the innermost last", () => {
    expect(readError(NESTED)).toMatchObject({ name: "ZeroDivisionError", message: "division by zero", cellLines: [5, 2] });
  });

  it("points to lines of the cell only, not of cells run before and not of files", () => {
    const error = readError(
      [
        "ValueError                                Traceback (most recent call last)",
        "Cell In[7], line 1",
        "----> 1 helper()",
        "",
        "Cell In[3], line 9, in helper()",
        "----> 9     int('x')",
        "",
        "File /usr/lib/python3/thing.py:12, in deep()",
        "---> 12 raise",
        "",
        "ValueError: invalid literal",
      ].join("\n"),
    );
    expect(error.cellLines).toEqual([1]);
    expect(error.lines.filter((line) => line.cellLine !== null).map((line) => line.text)).toEqual(["Cell In[7], line 1"]);
  });

  it("keeps a message of several lines together", () => {
    const error = readError(`${NESTED.split("\n").slice(0, 5).join("\n")}\n\nRuntimeError: first\nsecond: more\n  third`);
    expect(error.name).toBe("RuntimeError");
    expect(error.message).toContain("first\nsecond: more");
  });

  it("has errors of modules by their whole name, and errors without a message", () => {
    expect(readError(NESTED.replace("ZeroDivisionError: division", "json.decoder.JSONDecodeError: division"))).toMatchObject({
      name: "json.decoder.JSONDecodeError",
    });
    expect(readError(NESTED.replace("ZeroDivisionError: division by zero", "KeyboardInterrupt: "))).toMatchObject({
      name: "KeyboardInterrupt",
      message: "",
    });
  });
});

describe("a syntax error", () => {
  it("points to its line", () => {
    const error = readError("  Cell In[2], line 2\n    1 +\n       ^\nSyntaxError: incomplete input\n");
    expect(error).toMatchObject({ name: "SyntaxError", message: "incomplete input", cellLines: [2] });
  });
});

describe("an end that is no Python error", () => {
  it("is a sentence", () => {
    expect(readError("The execution timed out after 2 s.")).toMatchObject({
      name: null,
      message: "The execution timed out after 2 s.",
      cellLines: [],
    });
    expect(readError("The kernel died: signal SIGSEGV")).toMatchObject({ name: null, message: "The kernel died: signal SIGSEGV" });
    expect(readError("First.\nSecond.")).toMatchObject({ name: null, message: "First.\nSecond." });
  });
});
