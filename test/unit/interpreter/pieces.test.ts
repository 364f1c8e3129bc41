/** The pieces that read a model's text: code in arguments, fenced code, thoughts, calls of a stream; and what it is given to read. */
import { describe, expect, it, test } from "vitest";
import { CodeArgumentReader } from "../../../src/interpreter/model/code-argument.ts";
import { codeInText } from "../../../src/interpreter/model/code-in-text.ts";
import { FenceScanner, type FencedPart } from "../../../src/interpreter/model/fenced-code.ts";
import { ThoughtFilter } from "../../../src/interpreter/model/thinking.ts";
import { ToolCallIds } from "../../../src/interpreter/model/tool-call-ids.ts";
import { pluginText } from "../../../src/interpreter/plugin-description.ts";
import { plainText, resultText, shorten } from "../../../src/interpreter/result-text.ts";
import { sampleResult } from "../../helpers/sample-result.ts";
import { figure } from "./fakes.ts";

describe("arguments of a call", () => {
  const read = (text: string, pieceLength = text.length) => {
    const reader = new CodeArgumentReader();
    let shown = "";
    for (let index = 0; index < text.length; index += pieceLength) shown += reader.push(text.slice(index, index + pieceLength));
    return { shown, argument: reader.finish() };
  };
  const codes = ["print(1)", 'print("a")\n\tx', "s = '\\d+ \\\\n'", "'ä 😀 \u2028'", "", '{"code": "inner"}'];

  test.each(codes)("give %j, however they are cut", (code) => {
    for (const text of [
      JSON.stringify({ code }),
      JSON.stringify({ why: 'a "code": "x"', code }),
      JSON.stringify({ code, why: "x" }, null, 2),
    ]) {
      for (const length of [1, 2, 3, 7, text.length]) {
        const { shown, argument } = read(text, length);
        expect(shown).toBe(code);
        expect(argument).toEqual(code === "" ? { problem: "The code is empty." } : { code });
      }
    }
  });

  test.each([
    ['{"code": "x = 1\ny = 2"}', "x = 1\ny = 2"],
    ['{"code": "re.match(\\d+)"}', "re.match(\\d+)"],
    ['{"code": "x"', "x"],
    ['{"code": ["a", "b"]}', "a\nb"],
    ['"print(1)"', "print(1)"],
    ["print(1)", "print(1)"],
    ["```python\nprint(1)\n```", "print(1)"],
    ['{"code": "\\ud83d\\ude00"}', "😀"],
    ['{"code": "C:\\users"}', "C:\\users"],
  ])("%j are understood all the same", (text, code) => {
    expect(read(text).argument).toEqual({ code });
    expect(read(text, 1).argument).toEqual({ code });
  });

  test.each([
    '{"code": "print("hi")"}',
    '{"code": "print("a, b", c)"}',
    '{"code": "print(",", x)"}',
    '{"code": "x = 1',
    '{"code": "x\\',
    "{",
    "",
    '{"other": 1}',
    '{"code": 3}',
    "[1]",
    "null",
  ])("%j are a problem for the model", (text) => {
    expect(read(text).argument).toEqual({ problem: expect.stringMatching(/\.$/) });
  });
});

describe("fenced code", () => {
  const scan = (text: string, pieceLength = text.length) => {
    const scanner = new FenceScanner();
    const parts: FencedPart[] = [];
    for (let index = 0; index < text.length; index += pieceLength) parts.push(...scanner.push(text.slice(index, index + pieceLength)));
    parts.push(...scanner.finish());
    const of = (kind: string) =>
      parts
        .filter((part) => part.kind === kind)
        .map((part) => part.text)
        .join("");
    return { text: of("text"), code: of("code"), isDone: scanner.isDone };
  };

  test.each([
    ["Look:\n```python\nprint(1)\n```\nand more", "Look:\n", "print(1)", true],
    ["```py\na\n\nb\n```", "", "a\n\nb", true],
    ["  ```Python title\n    x\n  ```  \n", "", "    x", true],
    ["~~~python\ns = '```'\n~~~\n", "", "s = '```'", true],
    ["````python\n```\n````\n", "", "```", true],
    ["```python\n\n\nx\n```", "", "\n\nx", true],
    ["```python\nx = '''\n  ```\n", "", "x = '''", true],
    ["```text\nx\n```\n", "```text\nx\n```\n", "", false],
    ["Use `x` and ``y``.\n", "Use `x` and ``y``.\n", "", false],
    ["```python\nx = `1", "", "x = `1", false],
    ["```python", "", "", false],
    ["a\n\n  b", "a\n\n  b", "", false],
    ["```pythonic\nx\n```", "```pythonic\nx\n```", "", false],
  ])("of %j, however it is cut", (text, expectedText, code, isDone) => {
    for (const length of [1, 2, 3, 5, text.length]) {
      expect(scan(text, length)).toEqual({ text: expectedText, code, isDone });
    }
  });

  it("shows text at once, but what may become a fence", () => {
    const scanner = new FenceScanner();
    expect(scanner.push("Hel")).toEqual([{ kind: "text", text: "Hel" }]);
    expect(scanner.push("lo\n``")).toEqual([
      { kind: "text", text: "lo" },
      { kind: "text", text: "\n" },
    ]);
    expect(scanner.push("x``")).toEqual([{ kind: "text", text: "``x``" }]);
  });
});

describe("code in the text of a model without tools", () => {
  test.each([
    ["First.\n```python\nx\n```\n", { before: "First.", code: "x" }],
    ["```python\na\n```\nthen\n```python\nb\n```", null],
    ["```python\nx\n```\nThat was it.", null],
    ["```bash\nls\n```", null],
    ["```python\n```", null],
    ["Nothing.", null],
    ['{"name": "run_python", "arguments": {"code": "x"}}', { before: "", code: "x" }],
    ['Hm.\n```json\n{"name": "run_python", "parameters": {"code": "x"}}\n```', { before: "Hm.", code: "x" }],
    ['<tool_call>{"name": "run_python", "arguments": "{\\"code\\": \\"x\\"}"}</tool_call>', { before: "", code: "x" }],
    ['{"name": "get_weather", "arguments": {}}', null],
    ['{"name": "run_python", "arguments": {"co', null],
  ])("%j", (text, expected) => {
    expect(codeInText(text)).toEqual(expected);
  });
});

describe("thoughts", () => {
  test.each([
    ["<think>a</think>b", "b"],
    ["\n<think>\na\n</think>\n\nb <think>c", "b <think>c"],
    ["<thin air", "<thin air"],
    ["  text", "  text"],
    ["<think>never ends", ""],
    ["", ""],
    ["<", "<"],
  ])("of %j are taken out, however it is cut", (text, expected) => {
    for (const length of [1, 2, 3, Math.max(1, text.length)]) {
      const filter = new ThoughtFilter();
      let shown = "";
      for (let index = 0; index < text.length; index += length) shown += filter.push(text.slice(index, index + length));
      expect(shown + filter.flush()).toBe(expected);
    }
  });
});

describe("the calls of a stream", () => {
  test.each([
    ["numbered, named once", [{ index: 0, id: "a" }, { index: 0 }, { index: 1, id: "b" }, { index: 1 }], ["a", "a", "b", "b"]],
    [
      "named again in each piece",
      [
        { index: 0, id: "a" },
        { index: 0, id: "a" },
      ],
      ["a", "a"],
    ],
    [
      "all at the same place",
      [
        { index: 0, id: "a" },
        { index: 0, id: "b" },
      ],
      ["a", "b"],
    ],
    ["without numbers", [{ id: "a" }, {}, { id: "b" }, {}], ["a", "a", "b", "b"]],
    [
      "with empty names",
      [
        { index: 0, id: "a" },
        { index: 0, id: "" },
        { index: 0, id: null },
      ],
      ["a", "a", "a"],
    ],
  ])("%s are told apart", (_how, pieces, expected) => {
    const ids = new ToolCallIds();
    expect(pieces.map((piece) => ids.idOf(piece))).toEqual(expected);
  });

  it("get a name where the service has none", () => {
    const ids = new ToolCallIds();
    const [first, second, again] = [ids.idOf({ index: 0 }), ids.idOf({ index: 1 }), ids.idOf({ index: 0 })];
    expect(first).toMatch(/^call-/);
    expect(second).not.toBe(first);
    expect(again).toBe(first);
  });
});

describe("a result as the model reads it", () => {
  it("has everything that there is, and nothing else", () => {
    expect(resultText(sampleResult(), 100)).toBe("The code ran without any output.");
    expect(
      resultText(
        sampleResult({
          stdout: ["a\n", "b\n"],
          stderr: ["warning\n"],
          output: [1, "x"],
          error: "Traceback\nValueError: no\n",
          log: [["info", "Plugin-p", "called"]],
          artifact: [figure(), figure({ file_name: "t.csv", type: "df", preview: "" })],
          state_kept: false,
        }),
        100,
      ),
    ).toBe(
      [
        "stdout:\na\nb",
        "stderr:\nwarning",
        'value:\n[1,"x"]',
        "error:\nTraceback\nValueError: no",
        "log:\ninfo Plugin-p: called",
        "files:\ne-display-1_image.png (image, <Figure size 640x480 with 1 Axes>)\nt.csv (df)",
        "The kernel was started anew: all variables and imports are gone.",
      ].join("\n\n"),
    );
  });

  it("is shortened in its middle", () => {
    expect(shorten("0123456789".repeat(10), 10)).toBe("012345\n[… 90 characters left out …]\n6789");
    expect(shorten("😀".repeat(10), 5)).toBe("😀\n[… 15 characters left out …]\n😀");
    expect(shorten("short", 5)).toBe("short");
  });

  it("has progress bars in their last state, and no colours", () => {
    expect(plainText(" 10%\r 50%\r100%\ndone\r\n\u001B[31mred\u001B[0m")).toBe("100%\ndone\nred");
  });
});

test("a plugin without parameters or description is still declared", () => {
  expect(pluginText([{ name: "tick", description: "", parameters: [], returns: [] }])).toBe("def tick():");
  const value = (name: string, type: string) => ({ name, type, description: "d", isRequired: true });
  expect(pluginText([{ name: "pair", description: "Two.", parameters: [], returns: [value("a", "int"), value("b", "str")] }])).toBe(
    "def pair() -> tuple[int, str]:\n    # Two.\n    # returns a: d\n    # returns b: d",
  );
});
