/** How a question's way to its answer looks: the model's words, its code before it runs, what comes of it, what is tried again. */
import type { ExecutionResult } from "../../client/index.ts";
import type { CodeInterpreter, InterpreterEvents } from "../../interpreter/index.ts";
import type { Display } from "../interactive/display.ts";
import { visibleText } from "./visible-text.ts";

/** How much is shown. */
export interface TranscriptOptions {
  display: Display;
  /** The number of the execution that has just ended, as the session counts. */
  executionNumber: () => number;
  /** Whether the answer is shown as it is written; else words are shown once code follows them, and the answer is left to the caller. */
  showsAnswer: boolean;
}

const GUTTER = "  | ";

/** Writes down what an interpreter tells. */
export class Transcript {
  readonly #options: TranscriptOptions;
  readonly #display: Display;
  /** Words that are the answer, unless code follows. */
  #heldWords = "";
  /** The call whose code was shown last, and how much was shown of each. */
  #lastCall: string | null = null;
  readonly #shown = new Map<string, string>();
  #isLineStart = true;

  constructor(options: TranscriptOptions) {
    this.#options = options;
    this.#display = options.display;
  }

  /** Begins to listen. */
  follow(interpreter: CodeInterpreter): void {
    interpreter.on("message", ({ text }) => this.#words(text));
    interpreter.on("code", (event) => this.#code(event));
    interpreter.on("execution-start", ({ callId, code }) => this.#start(callId, code));
    interpreter.on("output", ({ text, type }) => this.#display.output(text, type));
    interpreter.on("result", (result) => this.#result(result));
    interpreter.on("retry", (event) => this.#retry(event));
    interpreter.on("question", () => this.#wait());
    interpreter.on("answer", () => this.#end());
    interpreter.on("error", () => this.#end());
  }

  #words(text: string): void {
    if (!this.#options.showsAnswer) this.#heldWords += text;
    else this.#display.output(visibleText(text), "stdout");
  }

  #code({ callId, text, code, isComplete }: InterpreterEvents["code"]): void {
    this.#showHeldWords();
    if (text !== "") {
      if (this.#lastCall !== callId) this.#begin(callId);
      this.#write(callId, text);
    }
    if (!isComplete) return;
    // What runs is what is shown, also where the pieces were something else.
    if (this.#shown.get(callId) !== code) this.#showWhole(callId, code);
    this.#display.endLine();
  }

  /** Code stands right above its output, also where other code was written after it. */
  #start(callId: string, code: string): void {
    if (this.#lastCall !== callId || this.#shown.get(callId) !== code) this.#showWhole(callId, code);
  }

  #showWhole(callId: string, code: string): void {
    this.#begin(callId);
    this.#write(callId, code);
    this.#display.endLine();
  }

  #begin(callId: string): void {
    this.#display.endLine();
    this.#lastCall = callId;
    this.#shown.set(callId, "");
    this.#isLineStart = true;
  }

  #write(callId: string, text: string): void {
    this.#shown.set(callId, (this.#shown.get(callId) ?? "") + text);
    for (const [index, part] of visibleText(text).split("\n").entries()) {
      if (index > 0) this.#endCodeLine();
      if (part === "") continue;
      this.#gutter();
      this.#display.output(this.#display.paint("cyan", part), "stdout");
    }
  }

  #endCodeLine(): void {
    this.#gutter();
    this.#display.output("\n", "stdout");
    this.#isLineStart = true;
  }

  #gutter(): void {
    if (this.#isLineStart) this.#display.output(this.#display.paint("dim", GUTTER), "stdout");
    this.#isLineStart = false;
  }

  #result(result: ExecutionResult): void {
    // Where the model corrects it, the last line says enough.
    const error = result.error?.trimEnd().split("\n").at(-1) ?? null;
    this.#display.result({ ...result, error }, this.#options.executionNumber());
    this.#lastCall = null;
    this.#wait();
  }

  #retry({ reason, attempt, delayMs, message }: InterpreterEvents["retry"]): void {
    this.#heldWords = "";
    this.#forget();
    const { display } = this.#options;
    if (reason === "code_failed") display.line(display.paint("dim", `(correcting it, attempt ${attempt})`));
    else if (reason === "broken_arguments") display.line(display.paint("dim", `(${message} Asking again.)`));
    else {
      const when = delayMs < 1000 ? "now" : `in ${Math.round(delayMs / 1000)} s`;
      display.fault(`${visibleText(message)} (Asking again ${when}.)`);
    }
    this.#wait();
  }

  #wait(): void {
    this.#display.waiting("...");
  }

  #showHeldWords(): void {
    if (this.#heldWords === "") return;
    this.#display.line(visibleText(this.#heldWords.trimEnd()));
    this.#heldWords = "";
  }

  /** The pieces of a reply that failed are void, and calls of the next one may have the same names. */
  #forget(): void {
    this.#lastCall = null;
    this.#shown.clear();
  }

  #end(): void {
    this.#heldWords = "";
    this.#forget();
    this.#display.endLine();
  }
}
