/** The interactive client: cells in, output, values and figures out, until Ctrl-D. */
import { messageOf, UsageError } from "../../errors.ts";
import { ExecutionClientError } from "../../client/index.ts";
import type { EndSignal, Terminal } from "../terminal.ts";
import { CellQueue } from "./cell-queue.ts";
import { createCompleter } from "./completion.ts";
import type { ConsoleSession } from "./console-session.ts";
import type { Display } from "./display.ts";
import { History } from "./history.ts";
import { LineEditor } from "./line-editor.ts";
import { runSlashCommand } from "./slash-commands.ts";

/** What a console is made of. */
export interface ConsoleOptions {
  session: ConsoleSession;
  display: Display;
  terminal: Terminal;
}

/**
 * Runs the console.
 * @returns when the user leaves, the input ends, or a signal comes; then that.
 */
export function runConsole(options: ConsoleOptions): Promise<EndSignal | null> {
  return new Console(options).run();
}

class Console {
  readonly #session: ConsoleSession;
  readonly #display: Display;
  readonly #terminal: Terminal;
  readonly #history: History;
  readonly #editor: LineEditor;
  readonly #queue = new CellQueue();
  #state: "idle" | "busy" | "asking" = "idle";
  /** Whether no more will be typed. */
  #hasEnded = false;
  #hasLeft = false;
  #answer: (text: string | undefined) => void = () => undefined;
  #leave: (signal: EndSignal | null) => void = () => undefined;

  constructor({ session, display, terminal }: ConsoleOptions) {
    this.#session = session;
    this.#display = display;
    this.#terminal = terminal;
    this.#history = History.ofUser(terminal.env);
    const events = { onLine: (text: string) => this.#take(text), onInterrupt: () => this.#onInterrupt(), onEnd: () => this.#onEnd() };
    const complete = createCompleter({ session, cwd: terminal.cwd, isPython: true });
    this.#editor = new LineEditor(terminal, events, { history: this.#history.load(), isPython: true, complete });
  }

  async run(): Promise<EndSignal | null> {
    const left = new Promise<EndSignal | null>((resolve) => {
      this.#leave = (signal) => {
        this.#hasLeft = true;
        resolve(signal);
      };
    });
    const stopListening = this.#terminal.onSignal((signal) => {
      if (signal === "SIGINT") this.#onInterrupt();
      else this.#leave(signal);
    });
    try {
      this.#next();
      return await left;
    } finally {
      stopListening();
      this.#editor.close();
    }
  }

  #take(text: string): void {
    if (this.#state === "asking") {
      this.#answer(text);
    } else if (this.#state === "busy" && text.trim() === "/interrupt") {
      this.#onInterrupt();
    } else if (this.#state === "idle" && this.#editor.isTerminal) {
      // A cell as the editor made it, complete as it is.
      if (text.trim() === "") this.#next();
      else void this.#run(text);
    } else {
      this.#queue.push(text);
      if (this.#state === "idle") this.#next();
    }
  }

  /** The next cell that is there already, or a prompt for one. */
  #next(): void {
    if (this.#hasLeft) return;
    const cell = this.#queue.next(this.#hasEnded && !this.#editor.isTerminal);
    if (cell !== null) {
      if (this.#editor.isTerminal) this.#display.line(this.#prompt() + cell);
      void this.#run(cell);
    } else if (this.#hasEnded) {
      this.#leave(null);
    } else {
      this.#editor.edit(this.#prompt(), this.#editor.isTerminal ? this.#queue.takeRest() : "");
    }
  }

  async #run(cell: string): Promise<void> {
    this.#state = "busy";
    this.#editor.rest();
    if (this.#editor.isTerminal) this.#history.add(cell);
    try {
      if (cell.startsWith("/")) await this.#command(cell);
      else await this.#execute(cell);
    } catch (error) {
      if (this.#hasLeft) return;
      const isKnown = error instanceof UsageError || error instanceof ExecutionClientError;
      this.#display.fault(isKnown ? error.message : `This is a fault of the console: ${messageOf(error)}`);
    }
    this.#display.endLine();
    this.#state = "idle";
    this.#next();
  }

  async #command(text: string): Promise<void> {
    const exit = () => this.#leave(null);
    await runSlashCommand(text, { session: this.#session, display: this.#display, cwd: this.#terminal.cwd, exit });
  }

  async #execute(code: string): Promise<void> {
    const number = this.#session.nextNumber;
    const result = await this.#session.execute(code, {
      onOutput: (text, stream) => this.#display.output(text, stream),
      onArtifact: (artifact, saver) => this.#display.artifact(artifact, saver),
      onInput: ({ prompt, password }, signal) => this.#ask(prompt, password, signal),
    });
    this.#display.result(result, number);
  }

  #ask(prompt: string, isSecret: boolean, signal: AbortSignal): Promise<string | undefined> {
    this.#editor.question(prompt, isSecret);
    // A pipe has its answers below the code that asks for them.
    const piped = this.#editor.isTerminal ? null : (this.#queue.takeLine() ?? (this.#hasEnded ? "" : null));
    if (piped !== null) return Promise.resolve(piped);
    this.#state = "asking";
    return new Promise((resolve) => {
      const finish = (text: string | undefined) => {
        signal.removeEventListener("abort", onAbort);
        if (this.#state === "asking") this.#state = "busy";
        this.#editor.rest();
        if (isSecret && this.#editor.isTerminal) this.#display.line("");
        resolve(text);
      };
      const onAbort = () => finish(undefined);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#answer = finish;
    });
  }

  #onInterrupt(): void {
    if (this.#state === "idle") {
      if (!this.#editor.clear()) this.#display.line("Ctrl-D or /exit ends the console.");
      this.#next();
      return;
    }
    this.#session.interrupt().then(
      (wasRunning) => {
        if (!wasRunning && this.#state !== "idle") this.#display.line("Nothing runs that could be interrupted.");
      },
      (error: unknown) => this.#display.fault(messageOf(error)),
    );
  }

  #onEnd(): void {
    this.#hasEnded = true;
    if (this.#hasLeft) return;
    if (this.#state === "asking") this.#answer("");
    else if (this.#state === "idle") this.#next();
  }

  #prompt(): string {
    return `${this.#display.paint("green", `In [${this.#session.nextNumber}]:`)} `;
  }
}
