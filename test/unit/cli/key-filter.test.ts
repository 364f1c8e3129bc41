/** What the keys of the interactive client do to a cell that is being typed. */
import { createInterface, type Interface } from "node:readline";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { KeyFilter } from "../../../src/cli/interactive/key-filter.ts";

const UP = "\u001B[A";
const DOWN = "\u001B[B";

let keyboard: PassThrough & { isTTY?: boolean };
let keys: KeyFilter;
let editor: Interface;
let accepted: string[];

beforeEach(() => {
  keyboard = new PassThrough();
  keys = new KeyFilter(keyboard);
  editor = createInterface({ input: keys, output: new PassThrough(), terminal: true, prompt: "> " });
  accepted = [];
  keys.attach(
    editor,
    (text) => accepted.push(text),
    () => undefined,
  );
  keys.isEditing = true;
});

afterEach(() => {
  editor.close();
  keys.detach();
});

/** Sends keys, each as a terminal would. */
function type(...sent: string[]): void {
  for (const each of sent) keyboard.emit("data", each);
}

test("Enter runs a line that is complete", () => {
  type("1 + 1", "\r");
  expect(accepted).toEqual(["1 + 1"]);
});

test("Enter begins another line, indented, where more has to come; an empty one ends it", () => {
  type("for i in x:", "\r");
  expect(editor.line).toBe("for i in x:\n    ");
  type("print(i)", "\r");
  expect(accepted).toEqual([]);
  type("\r");
  expect(accepted).toEqual(["for i in x:\n    print(i)\n    "]);
});

test("keys that come all at once are taken one by one", () => {
  type("f(1,\r2)\r3\r");
  expect(accepted).toEqual(["f(1,\n2)", "3"]);
});

test("Alt-Enter begins another line in any case", () => {
  type("a = 1", "\u001B\r", "b = 2", "\r");
  expect(accepted).toEqual(["a = 1\nb = 2"]);
});

test("pasted text stays a cell to be looked at first", () => {
  type("\u001B[200~def f():\r\n    return 1\r\n\r\nf()\r\n\u001B[201~");
  expect(accepted).toEqual([]);
  expect(editor.line).toBe("def f():\n    return 1\n\nf()");
  type("\r");
  expect(accepted).toEqual(["def f():\n    return 1\n\nf()"]);
});

test("a paste that comes in pieces is one paste", () => {
  type("x\u001B[200~ = [", "1,\r2", "]\u001B[201~ # end", "\r");
  expect(accepted).toEqual(["x = [1,\n2] # end"]);
});

test("up and down move between the lines of a cell, and Enter in its middle begins a line", () => {
  type("f(1,", "\r", "2,", "\r", "3");
  type(UP);
  expect(editor.cursor).toBe("f(1,\n2".length);
  type(DOWN, UP, UP);
  expect(editor.cursor).toBe("f".length);
  type("\r");
  expect(editor.line).toBe("f\n(1,\n2,\n3");
});

test("Tab indents at the beginning of a line", () => {
  type("if x:", "\r", "\t", "y()");
  expect(editor.line).toBe("if x:\n        y()");
});

test("a command is never taken for Python that needs more", () => {
  type("/load my(file", "\r");
  expect(accepted).toEqual(["/load my(file"]);
});

test("while code runs every Enter ends a line", () => {
  keys.isEditing = false;
  type("for i in x:", "\r", "\u001B[200~a\nb\n\u001B[201~");
  expect(accepted).toEqual(["for i in x:", "a", "b"]);
});

test("Tab indents where a line begins, and else is the editor's, each for itself", () => {
  const tabs: number[] = [];
  keys.on("data", (part: string) => {
    if (part === "\t") tabs.push(editor.line.length);
  });
  type("if x:", "\r", "\t");
  expect(editor.line).toBe("if x:\n        ");
  expect(tabs).toEqual([]);
  type("y\t\t");
  expect(tabs).toHaveLength(2);
});
