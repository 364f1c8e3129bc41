/** The chat: questions in, the model's words and code and what comes of it out, until the user leaves. */
import { basename } from "node:path";
import { ExecutionClientError, type InputPrompt } from "../../client/index.ts";
import type { ModelSettings } from "../../config.ts";
import { messageOf, UsageError } from "../../errors.ts";
import { InterpreterError, type CodeInterpreter } from "../../interpreter/index.ts";
import type { ConsoleSession } from "../interactive/console-session.ts";
import type { Display } from "../interactive/display.ts";
import { History } from "../interactive/history.ts";
import { createCompleter } from "../interactive/completion.ts";
import { LineEditor } from "../interactive/line-editor.ts";
import { runSlashCommand, type SlashCommand } from "../interactive/slash-commands.ts";
import type { EndSignal, Terminal } from "../terminal.ts";
import { chatInterpreter } from "./chat-interpreter.ts";
import { Transcript } from "./transcript.ts";

/** What a chat is made of. */
export interface ChatOptions {
  model: ModelSettings;
  session: ConsoleSession;
  display: Display;
  terminal: Terminal;
  /** Ask before code runs. */
  confirm: boolean;
}

/**
 * Runs the chat on a terminal.
 * @returns when the user leaves, or a signal comes; then that.
 */
export function runChat(options: ChatOptions): Promise<EndSignal | null> {
  return new Chat(options).run();
}

class Chat {
  readonly #session: ConsoleSession;
  readonly #display: Display;
  readonly #terminal: Terminal;
  readonly #interpreter: CodeInterpreter;
  readonly #history: History;
  readonly #editor: LineEditor;
  /** Typed while there was no time for it. */
  readonly #waiting: string[] = [];
  readonly #gone = new AbortController();
  #state: "idle" | "busy" | "asking" = "idle";
  /** Whether one more Ctrl-C leaves. */
  #isLeaving = false;
  #answer: (text: string | undefined) => void = () => undefined;
  #leave: (signal: EndSignal | null) => void = () => undefined;

  constructor({ model, session, display, terminal, confirm }: ChatOptions) {
    this.#session = session;
    this.#display = display;
    this.#terminal = terminal;
    this.#interpreter = chatInterpreter(model, session, display, {
      onInput: (request, signal) => this.#ask(request, signal),
      ...(confirm ? { confirm: (_code: string, signal: AbortSignal) => this.#confirm(signal) } : {}),
    });
    new Transcript({ display, executionNumber: () => session.nextNumber - 1, showsAnswer: true }).follow(this.#interpreter);
    this.#history = History.ofUser(terminal.env, "chat-history.jsonl");
    const events = { onLine: (text: string) => this.#take(text), onInterrupt: () => this.#onInterrupt(), onEnd: () => this.#onEnd() };
    const complete = createCompleter({ session, cwd: terminal.cwd, more: [this.#clearCommand()], isPython: false });
    this.#editor = new LineEditor(terminal, events, { history: this.#history.load(), isPython: false, complete });
  }

  async run(): Promise<EndSignal | null> {
    const left = new Promise<EndSignal | null>((resolve) => {
      this.#leave = (signal) => {
        this.#gone.abort();
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
    this.#isLeaving = false;
    if (this.#state === "asking") this.#answer(text);
    else if (this.#state === "busy" && text.trim() === "/interrupt") this.#onInterrupt();
    else if (this.#state === "busy") this.#waiting.push(text);
    else if (text.trim() === "") this.#next();
    else void this.#run(text);
  }

  /** What was typed meanwhile, or a prompt. */
  #next(): void {
    if (this.#gone.signal.aborted) return;
    const text = this.#waiting.shift();
    if (text === undefined) this.#editor.edit(this.#prompt());
    else if (text.trim() === "") this.#next();
    else {
      this.#display.line(this.#prompt() + text);
      void this.#run(text);
    }
  }

  async #run(text: string): Promise<void> {
    this.#state = "busy";
    this.#editor.rest();
    this.#history.add(text);
    try {
      if (text.startsWith("/")) await this.#command(text);
      else await this.#question(text);
    } catch (error) {
      if (this.#gone.signal.aborted) return;
      const isKnown = [UsageError, ExecutionClientError, InterpreterError].some((each) => error instanceof each);
      this.#display.fault(isKnown ? messageOf(error) : `This is a fault of the chat: ${messageOf(error)}`);
    }
    this.#display.endLine();
    this.#state = "idle";
    this.#next();
  }

  async #question(text: string): Promise<void> {
    const { reason, isCutShort } = await this.#interpreter.ask(text, { signal: this.#gone.signal });
    if (reason === "interrupted") this.#display.fault("Interrupted; the chat goes on.");
    if (reason === "declined") this.#display.fault("Not run; say what to do instead.");
    if (isCutShort) this.#display.fault("The model's service cut this at its length limit; ask it to go on.");
  }

  async #command(text: string): Promise<void> {
    await runSlashCommand(text, {
      session: this.#session,
      display: this.#display,
      cwd: this.#terminal.cwd,
      exit: () => this.#leave(null),
      more: [this.#clearCommand()],
      remark: "Everything else is for the model. Alt-Enter begins another line; Ctrl-C interrupts, twice at the prompt it ends.",
    });
    this.#tellModel(text);
  }

  /** What the user does beside the model, it would not know. */
  #tellModel(command: string): void {
    const [name, ...rest] = command.trim().split(/\s+/);
    if (name === "/restart") this.#interpreter.note("The user has restarted the kernel: all variables and imports are gone.");
    if (name === "/load") {
      const file = basename(rest.join(" ").replace(/^(['"])(.*)\1$/, "$2"));
      this.#interpreter.note(`The user has put the file ${JSON.stringify(file)} into the current folder.`);
    }
  }

  #clearCommand(): SlashCommand {
    return {
      name: "clear",
      usage: "/clear",
      description: "begin a new conversation; variables and files stay",
      run: ({ display }) => {
        this.#interpreter.forget();
        display.line("The model has forgotten what was said; the kernel has not.");
      },
    };
  }

  /** Yes runs the code, no ends the question, anything else is for the model. */
  async #confirm(signal: AbortSignal): Promise<boolean | string> {
    for (;;) {
      const text = signal.aborted
        ? undefined
        : await this.#ask({ prompt: "Run this? (y)es, (n)o, or say what to change: ", password: false }, signal);
      const word = text?.trim().toLowerCase();
      if (word === undefined || ["n", "no"].includes(word)) return false;
      if (["y", "yes"].includes(word)) return true;
      if (text !== undefined && word !== "") return text;
    }
  }

  #ask({ prompt, password }: InputPrompt, signal: AbortSignal): Promise<string | undefined> {
    this.#display.endLine();
    this.#editor.question(prompt, password);
    this.#state = "asking";
    return new Promise((resolve) => {
      const finish = (text: string | undefined) => {
        signal.removeEventListener("abort", onAbort);
        if (this.#state === "asking") this.#state = "busy";
        this.#editor.rest();
        if (password || text === undefined) this.#display.line("");
        resolve(text);
      };
      const onAbort = () => finish(undefined);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#answer = finish;
    });
  }

  #onInterrupt(): void {
    if (this.#state === "idle") {
      if (this.#editor.clear()) this.#isLeaving = false;
      else if (this.#isLeaving) {
        this.#leave(null);
        return;
      } else {
        this.#isLeaving = true;
        this.#display.line("Ctrl-C once more, Ctrl-D or /exit ends the chat.");
      }
      this.#next();
      return;
    }
    this.#interpreter.interrupt().then(
      (wasAsked) => {
        if (!wasAsked && this.#state !== "idle") this.#display.line("Nothing runs that could be interrupted.");
      },
      (error: unknown) => this.#display.fault(messageOf(error)),
    );
  }

  /** Ctrl-D, or the editor was closed. */
  #onEnd(): void {
    if (this.#gone.signal.aborted) return;
    this.#leave(null);
    if (this.#state === "asking") this.#answer(undefined);
  }

  #prompt(): string {
    return `${this.#display.paint("green", "you>")} `;
  }
}
