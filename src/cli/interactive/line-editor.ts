/** Where the console's cells and answers are typed: a line editor on a terminal, plain lines from a pipe. */
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import type { Terminal } from "../terminal.ts";
import type { Completer } from "./completion.ts";
import { KeyFilter } from "./key-filter.ts";

const ENABLE_PASTE_MARKS = "\u001B[?2004h";
const DISABLE_PASTE_MARKS = "\u001B[?2004l";

/** What the editor tells. */
export interface LineEditorEvents {
  /** Enter: a cell of one or more lines, or one line of a pipe. */
  onLine(text: string): void;
  /** Ctrl-C. */
  onInterrupt(): void;
  /** Ctrl-D, or the pipe's end. */
  onEnd(): void;
}

/** What the editor knows of what is typed. */
export interface LineEditorOptions {
  /** Newest first. */
  history: string[];
  /** Whether cells are typed, which Enter does not always end. */
  isPython: boolean;
  complete: Completer;
}

/** Reads what is typed. */
export class LineEditor {
  readonly isTerminal: boolean;
  readonly #terminal: Terminal;
  readonly #readline: Interface & { line: string; cursor: number };
  readonly #keys: KeyFilter | null;
  #prompt = "";
  #isMuted = false;

  constructor(terminal: Terminal, events: LineEditorEvents, { history, isPython, complete }: LineEditorOptions) {
    this.#terminal = terminal;
    this.isTerminal = terminal.stdin.isTTY === true && terminal.stdout.isTTY === true;
    this.#keys = this.isTerminal ? new KeyFilter(terminal.stdin, isPython) : null;
    const readline: Interface & { line: string; cursor: number } = createInterface({
      input: this.#keys ?? terminal.stdin,
      output: this.isTerminal ? this.#output() : undefined,
      terminal: this.isTerminal,
      history: this.isTerminal ? [...history] : [],
      historySize: 1000,
      removeHistoryDuplicates: true,
      prompt: "",
      ...(this.isTerminal && {
        completer: (text: string, done: (error: null, found: [string[], string]) => void) => void this.#complete(complete, text, done),
      }),
    });
    this.#readline = readline;
    const onLine = (text: string): void => events.onLine(text);
    if (this.#keys === null) readline.on("line", onLine);
    else this.#keys.attach(readline, onLine, () => this.#arrange());
    // Answers are no cells, and some are secrets.
    readline.on("history", (lines: string[]) => {
      if (this.#keys?.isEditing === false) lines.shift();
    });
    readline.on("SIGINT", () => events.onInterrupt());
    readline.once("close", () => {
      if (this.isTerminal) terminal.stdout.write("\n");
      events.onEnd();
    });
    if (this.isTerminal) terminal.stdout.write(ENABLE_PASTE_MARKS);
  }

  /** Asks for a cell. What was typed meanwhile stays. */
  edit(prompt: string, text = ""): void {
    if (!this.isTerminal) return;
    this.#prompt = prompt;
    if (this.#keys !== null) this.#keys.isEditing = true;
    if (text !== "") {
      this.#readline.line = text + this.#readline.line;
      this.#readline.cursor = this.#readline.line.length;
    }
    this.#readline.setPrompt(this.#shownPrompt());
    this.#readline.prompt(true);
  }

  /** Asks for one line, for code that wants input. */
  question(prompt: string, isSecret: boolean): void {
    if (!this.isTerminal) {
      this.#terminal.stdout.write(prompt);
      return;
    }
    this.#readline.setPrompt(prompt);
    this.#readline.prompt(true);
    this.#isMuted = isSecret;
  }

  /** No prompt: code runs. */
  rest(): void {
    this.#isMuted = false;
    this.#prompt = "";
    if (this.#keys !== null) this.#keys.isEditing = false;
    this.#readline.setPrompt("");
  }

  /** Throws away what is typed; false where there was nothing. */
  clear(): boolean {
    const wasEmpty = this.#readline.line === "";
    if (this.isTerminal) this.#terminal.stdout.write("^C\n");
    this.#readline.line = "";
    this.#readline.cursor = 0;
    return !wasEmpty;
  }

  /** Idempotent. */
  close(): void {
    if (this.isTerminal) this.#terminal.stdout.write(DISABLE_PASTE_MARKS);
    this.#readline.close();
    this.#keys?.detach();
  }

  async #complete(complete: Completer, text: string, done: (error: null, found: [string[], string]) => void): Promise<void> {
    // Answers are not completed; nor is a line that has been typed on meanwhile.
    const { candidates, typed } = this.#keys?.isEditing === true ? await complete(text) : { candidates: [], typed: text };
    const isCurrent = this.#readline.line.slice(0, this.#readline.cursor) === text;
    done(null, isCurrent ? [candidates, typed] : [[], text]);
  }

  /** A cell of several lines begins below its prompt, so that its lines are aligned. */
  #arrange(): void {
    if (this.#keys?.isEditing !== true || this.#readline.getPrompt() === this.#shownPrompt()) return;
    this.#readline.setPrompt(this.#shownPrompt());
    this.#readline.prompt(true);
  }

  #shownPrompt(): string {
    return this.#readline.line.includes("\n") ? `${this.#prompt.trimEnd()}\n` : this.#prompt;
  }

  /** Readline's output, which a secret does not pass. */
  #output(): Writable {
    const { stdout } = this.#terminal;
    const output = new Writable({
      write: (chunk: Uint8Array, _encoding, done) => {
        if (!this.#isMuted) stdout.write(chunk);
        done();
      },
    });
    // Readline looks here for the width, and for whether to edit at all.
    Object.defineProperty(output, "columns", { get: () => stdout.columns });
    stdout.on("resize", () => output.emit("resize"));
    return Object.assign(output, { isTTY: true });
  }
}
