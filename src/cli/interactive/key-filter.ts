/** Stands between the keyboard and readline, and makes its one line hold a whole cell: new lines, pasted text, moving between lines. */
import type { Interface } from "node:readline";
import { Readable } from "node:stream";
import type { Terminal } from "../terminal.ts";
import { scanCell } from "./completeness.ts";

const PASTE_START = "\u001B[200~";
const PASTE_END = "\u001B[201~";
const ENTER = "\r";
const ALT_ENTER = "\u001B\r";
const TAB = "\t";
/** What is decided on what came before it; of tabs those at the end, the others are of a text that was pasted without a mark. */
const DECISIVE = new RegExp(`(${ALT_ENTER}|${ENTER}|${TAB}(?=${TAB}*$))`);
const UP = ["\u001B[A", "\u001BOA"];
const DOWN = ["\u001B[B", "\u001BOB"];

/** The part of a line editor that is changed from here; readline documents `line` and `cursor`. */
interface EditorBuffer {
  line: string;
  cursor: number;
  prompt(preserveCursor: boolean): void;
}

/** Readline's input. Attach the editor right after making it. */
export class KeyFilter extends Readable {
  readonly isTTY = true;
  /** Whether what is typed is Python, where Enter may begin another line; else Enter ends it. */
  readonly isPython: boolean;
  /** Whether cells are typed; while code asks for input, Enter is Enter. */
  isEditing = false;
  readonly #keyboard: Terminal["stdin"] & { setRawMode?: (isRaw: boolean) => unknown };
  readonly #onKeys = (keys: string | Uint8Array) => this.#take(String(keys));
  #editor: EditorBuffer | null = null;
  #onChange: () => void = () => undefined;
  /** The cell that Enter ends, while readline hears of it. */
  #ended: string | null = null;
  #pasted: string | null = null;

  constructor(keyboard: Terminal["stdin"], isPython = true) {
    super({ read: () => undefined });
    this.isPython = isPython;
    this.#keyboard = keyboard;
    keyboard.setEncoding("utf8");
    keyboard.on("data", this.#onKeys);
    keyboard.once("end", () => this.push(null));
  }

  /**
   * @param onLine Takes what Enter ended: a cell, or a line.
   * @param onChange Called after every key: the prompt may have to change.
   */
  attach(editor: Interface, onLine: (text: string) => void, onChange: () => void): void {
    this.#editor = editor as unknown as EditorBuffer;
    this.#onChange = onChange;
    // From Node 24 on readline gives out several lines as its history keeps them: the last one first.
    editor.on("line", (text) => onLine(this.#ended ?? text));
  }

  /** As readline calls it on its input. */
  setRawMode(isRaw: boolean): this {
    this.#keyboard.setRawMode?.(isRaw);
    return this;
  }

  /** Lets go of the keyboard. */
  detach(): void {
    this.#keyboard.off("data", this.#onKeys);
    this.#keyboard.pause();
  }

  #take(keys: string): void {
    if (this.#pasted !== null) {
      this.#paste(keys);
      return;
    }
    const start = keys.indexOf(PASTE_START);
    if (start !== -1) {
      this.#take(keys.slice(0, start));
      this.#pasted = "";
      this.#paste(keys.slice(start + PASTE_START.length));
      return;
    }
    // Fast fingers, and programs, send several keys at once.
    for (const part of keys.split(DECISIVE)) {
      if (part === "") continue;
      if (this.#editor === null || !this.isEditing) this.emit("data", part);
      else if (!this.#edit(this.#editor, part)) this.#passOn(this.#editor, part);
    }
    this.#onChange();
  }

  /** Emitted and not pushed: readline has handled it when this returns. */
  #passOn(editor: EditorBuffer, key: string): void {
    this.#ended = key === ENTER ? editor.line : null;
    this.emit("data", key);
    this.#ended = null;
  }

  #paste(keys: string): void {
    const text = (this.#pasted ?? "") + keys;
    const end = text.indexOf(PASTE_END);
    if (end === -1) {
      this.#pasted = text;
      return;
    }
    this.#pasted = null;
    const pasted = text.slice(0, end).replaceAll(/\r\n?/g, "\n");
    if (this.#editor !== null && this.isEditing) insert(this.#editor, pasted.replace(/\n$/, ""));
    else this.emit("data", pasted);
    this.#take(text.slice(end + PASTE_END.length));
  }

  /** Whether the key was dealt with here. */
  #edit(editor: EditorBuffer, key: string): boolean {
    const before = editor.line.slice(0, editor.cursor);
    const after = editor.line.slice(editor.cursor);
    if (key === ALT_ENTER) return insert(editor, "\n");
    if (key === ENTER && this.isPython && !editor.line.startsWith("/") && editor.line.trim() !== "") {
      const { kind, indent } = scanCell(before);
      const isInside = after.trim() !== "" && after.includes("\n");
      return isInside || (after.trim() === "" ? kind : scanCell(editor.line).kind) !== "complete" ? insert(editor, `\n${indent}`) : false;
    }
    if (key === TAB && this.isPython && /(^|\n)[ \t]*$/.test(before)) return insert(editor, "    ");
    if (UP.includes(key) && before.includes("\n")) return moveTo(editor, lineAbove(before));
    if (DOWN.includes(key) && after.includes("\n")) return moveTo(editor, editor.cursor + lineBelow(before, after));
    return false;
  }
}

function insert(editor: EditorBuffer, text: string): true {
  editor.line = editor.line.slice(0, editor.cursor) + text + editor.line.slice(editor.cursor);
  editor.cursor += text.length;
  editor.prompt(true);
  return true;
}

function moveTo(editor: EditorBuffer, cursor: number): true {
  editor.cursor = cursor;
  editor.prompt(true);
  return true;
}

/** The same column in the line above, or its end. */
function lineAbove(before: string): number {
  const start = before.lastIndexOf("\n") + 1;
  const startAbove = before.lastIndexOf("\n", start - 2) + 1;
  return Math.min(startAbove + (before.length - start), start - 1);
}

/** How far it is to the same column in the line below, or to its end. */
function lineBelow(before: string, after: string): number {
  const column = before.length - (before.lastIndexOf("\n") + 1);
  const startBelow = after.indexOf("\n") + 1;
  const endBelow = after.indexOf("\n", startBelow);
  return Math.min(startBelow + column, endBelow === -1 ? after.length : endBelow);
}
