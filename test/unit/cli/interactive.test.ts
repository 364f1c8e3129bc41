/** The pieces of the interactive client: when a cell is complete, how lines become cells, what the terminal shows. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { CellQueue } from "../../../src/cli/interactive/cell-queue.ts";
import { scanCell } from "../../../src/cli/interactive/completeness.ts";
import { History } from "../../../src/cli/interactive/history.ts";
import { imageProtocol, inlineImage } from "../../../src/cli/interactive/inline-image.ts";
import { hasColors } from "../../../src/cli/terminal.ts";

describe("a cell", () => {
  test.each([
    "x = 1",
    "print('a:')",
    "x = {'a': 1}",
    "# a comment:",
    "s = 'it''s'",
    "if x: print(1)",
    "for i in x:\n    print(i)\n",
    "def f():\n    return 1\n\nf()",
    "x = '''\nlong\n'''",
    "f(1,\n  2)",
    "s = 'unclosed",
    "x = 'a\\'b'",
    "d[1:2]",
  ])("%j is complete", (text) => {
    expect(scanCell(text).kind).toBe("complete");
  });

  test.each([
    "for i in x:",
    "f(1,",
    "x = [",
    "'''long",
    'x = """a\nb',
    "x = 1 + \\",
    "@decorator",
    "if x:  # why",
    "class A:",
    "try:\n    x()\nexcept:",
  ])("%j needs more", (text) => {
    expect(scanCell(text).kind).toBe("open");
  });

  test.each(["for i in x:\n    print(i)", "%%timeit\nx = 1", "def f():\n    if x:\n        y()"])("%j may need more", (text) => {
    expect(scanCell(text).kind).toBe("block");
  });

  test.each([
    ["for i in x:", "    "],
    ["    if x:", "        "],
    ["def f():\n    return 1", ""],
    ["def f():\n    x = 1", "    "],
    ["x = 1", ""],
  ])("after %j a line begins with %j", (text, indent) => {
    expect(scanCell(text).indent).toBe(indent);
  });
});

describe("lines from a pipe", () => {
  function cellsOf(text: string): string[] {
    const queue = new CellQueue();
    for (const line of text.split("\n")) queue.push(line);
    const cells: string[] = [];
    for (let cell = queue.next(true); cell !== null; cell = queue.next(true)) cells.push(cell);
    return cells;
  }

  test("become cells where they end", () => {
    expect(cellsOf("a = 1\n\nfor i in b:\n    c()\nd()\n/vars\nx = [\n  1]\n")).toEqual([
      "a = 1",
      "for i in b:\n    c()",
      "d()",
      "/vars",
      "x = [\n  1]",
    ]);
  });

  test("keep together what belongs together", () => {
    expect(cellsOf("def f():\n    a()\n\n    b()\n\nif x:\n    a()\nelse:\n    b()\n@d\ndef g():\n    pass")).toEqual([
      "def f():\n    a()\n\n    b()\n",
      "if x:\n    a()\nelse:\n    b()",
      "@d\ndef g():\n    pass",
    ]);
  });

  test("wait for their end while more may come", () => {
    const queue = new CellQueue();
    queue.push("for i in x:");
    queue.push("    print(i)");
    expect(queue.next(false)).toBeNull();
    queue.push("");
    expect(queue.next(false)).toBe("for i in x:\n    print(i)\n");
  });
});

describe("images", () => {
  const stdout = Object.assign(new PassThrough(), { isTTY: true });

  test.each([
    [{ TERM: "xterm-kitty" }, "kitty"],
    [{ TERM: "xterm-256color", TERM_PROGRAM: "ghostty" }, "kitty"],
    [{ TERM: "xterm-256color", TERM_PROGRAM: "iTerm.app" }, "iterm2"],
    [{ TERM: "xterm-256color", TERM_PROGRAM: "WezTerm" }, "iterm2"],
    [{ TERM: "xterm-256color" }, null],
    [{ TERM: "tmux-256color", TERM_PROGRAM: "iTerm.app" }, null],
    [{ TERM: "xterm-kitty", TMUX: "/tmp/tmux" }, null],
  ])("%j shows them by %s", (env, protocol) => {
    expect(imageProtocol({ stdout, env })).toBe(protocol);
  });

  test("nothing is shown inline where output is no terminal", () => {
    expect(imageProtocol({ stdout: new PassThrough(), env: { TERM: "xterm-kitty" } })).toBeNull();
  });

  test("kitty gets a PNG in chunks, the last one marked", () => {
    const sequence = inlineImage("kitty", "image/png", "A".repeat(5000))!;
    expect(sequence.startsWith(`\u001B_Ga=T,f=100,m=1;${"A".repeat(4096)}\u001B\\`)).toBe(true);
    expect(sequence.endsWith(`\u001B_Gm=0;${"A".repeat(904)}\u001B\\\n`)).toBe(true);
    expect(inlineImage("kitty", "image/jpeg", "AAAA")).toBeNull();
  });

  test("what is not base64 never reaches the terminal", () => {
    expect(inlineImage("iterm2", "image/png", "AAAA")).toBe("\u001B]1337;File=inline=1:AAAA\u0007\n");
    expect(inlineImage("iterm2", "image/png", "AA\u0007AA")).toBeNull();
  });
});

describe("history", () => {
  test("keeps cells of several lines, newest first, for the user only", () => {
    const folder = mkdtempSync(join(tmpdir(), "history-"));
    try {
      const path = join(folder, "state/history.jsonl");
      const history = new History(path);
      expect(history.load()).toEqual([]);
      history.add("a = 1");
      history.add("for i in x:\n    print(i)");
      expect(new History(path).load()).toEqual(["for i in x:\n    print(i)", "a = 1"]);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      writeFileSync(path, `${readFileSync(path, "utf8")}not json\n`);
      expect(history.load()).toHaveLength(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test.each([
  [true, {}, true],
  [true, { NO_COLOR: "1" }, false],
  [true, { NO_COLOR: "" }, true],
  [true, { TERM: "dumb" }, false],
  [false, {}, false],
  [false, { FORCE_COLOR: "1" }, true],
])("on a terminal: %s, with %j, colours: %s", (isTTY, env, expected) => {
  expect(hasColors({ isTTY }, env)).toBe(expected);
});
