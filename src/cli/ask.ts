/** Asks the user for lines of text, for code that calls `input()`. */
import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import type { InputPrompt } from "../client/index.ts";
import type { Terminal } from "./terminal.ts";

/** Asks on a terminal, or takes line after line from a pipe. */
export class Questioner {
  readonly #terminal: Pick<Terminal, "stdin" | "stdout">;
  #pipe: { lines: Interface; next: AsyncIterator<string> } | null = null;

  constructor(terminal: Pick<Terminal, "stdin" | "stdout">) {
    this.#terminal = terminal;
  }

  /**
   * Asks once; an empty text where the input is at its end, undefined where the question was withdrawn.
   * @param signal Withdraws the question, when the code that asked is over.
   */
  async ask(request: InputPrompt, signal: AbortSignal): Promise<string | undefined> {
    this.#terminal.stdout.write(request.prompt);
    if (this.#terminal.stdin.isTTY === true) return this.#askTerminal(request, signal);
    if (this.#pipe === null) {
      // One reader for all questions: what it reads ahead would be lost with it.
      const lines = createInterface({ input: this.#terminal.stdin, terminal: false });
      this.#pipe = { lines, next: lines[Symbol.asyncIterator]() };
    }
    const line = await this.#pipe.next.next();
    return line.done === true ? "" : line.value;
  }

  /** Lets go of the input, which would else keep the process. */
  close(): void {
    this.#pipe?.lines.close();
    this.#pipe = null;
  }

  #askTerminal({ prompt, password }: InputPrompt, signal: AbortSignal): Promise<string | undefined> {
    const { stdin, stdout } = this.#terminal;
    return new Promise((resolve) => {
      // Raw mode turns off the terminal's own echo; what readline would echo of a password goes nowhere.
      const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
      const lines = createInterface({ input: stdin, output: password ? silent : stdout, terminal: true, historySize: 0 });
      lines.setPrompt(password ? "" : prompt);
      let isDone = false;
      const finish = (answer: string | undefined) => {
        if (isDone) return;
        isDone = true;
        signal.removeEventListener("abort", onAbort);
        lines.close();
        if (password || answer === undefined) stdout.write("\n");
        resolve(answer);
      };
      const onAbort = () => finish(undefined);
      signal.addEventListener("abort", onAbort, { once: true });
      lines.once("line", finish);
      lines.once("close", () => finish(""));
      // In raw mode Ctrl-C is a key like any other; it still has to mean what it always means.
      lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
    });
  }
}
