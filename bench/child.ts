/** A process of the benchmark: its lines read, every wait bounded, ended for sure. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Closable } from "./bench.ts";

/** How to start it. */
export interface ChildOptions {
  command: string;
  args: readonly string[];
  environment: NodeJS.ProcessEnv;
  cwd: string;
  /** Told to end: by the end of its standard input, or by SIGTERM too. @default "stdin" */
  endedBy?: "stdin" | "signal";
  /** From being told to end until it is killed. @default 20000 */
  graceMs?: number;
}

/** One process; what it says on stderr is shown where it ends too early. */
export class Child implements Closable {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #options: ChildOptions;
  readonly #exited: Promise<unknown>;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  #lastWords = "";
  #hasExited = false;
  #closing: Promise<void> | undefined;

  static async start(options: ChildOptions): Promise<Child> {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: options.environment,
      stdio: ["pipe", "pipe", "pipe"],
      // Ctrl-C is for the benchmark, which then ends its processes in order.
      detached: true,
    });
    await once(child, "spawn");
    return new Child(child, options);
  }

  private constructor(child: ChildProcess, options: ChildOptions) {
    this.pid = child.pid ?? 0;
    this.#process = child;
    this.#options = options;
    this.#exited = once(child, "exit").then(() => {
      this.#hasExited = true;
      for (const waiting of this.#waiting.splice(0)) waiting(undefined);
    });
    if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => this.#take(line));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#lastWords = (this.#lastWords + text).slice(-4000)));
    // A process that has gone is told by its exit, not by the write that failed.
    child.stdin?.on("error", () => undefined);
  }

  /** Writes one line to its standard input. */
  write(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** The next line of its standard output that is wanted; those before it are dropped. */
  async line(timeoutMs: number, isWanted: (line: string) => boolean = () => true): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const line = this.#lines.shift() ?? (await this.#next(deadline - Date.now()));
      if (isWanted(line)) return line;
    }
  }

  /** From now on its lines are dropped. */
  ignoreLines(): void {
    this.#lines.length = 0;
    this.#take = () => undefined;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  #take = (line: string): void => {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(line);
    else this.#lines.push(line);
  };

  #next(timeoutMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#hasExited) return reject(this.#failure("ended"));
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1);
        reject(this.#failure("did not answer in time"));
      }, timeoutMs);
      const settle = (line: string | undefined): void => {
        clearTimeout(timer);
        if (line === undefined) reject(this.#failure("ended"));
        else resolve(line);
      };
      this.#waiting.push(settle);
    });
  }

  #failure(what: string): Error {
    const { command, args } = this.#options;
    return new Error(`${command} ${args.join(" ")} ${what}. It said: ${this.#lastWords.trim() || "nothing"}`);
  }

  async #close(): Promise<void> {
    if (this.#hasExited) return;
    this.#process.stdin?.end();
    if (this.#options.endedBy === "signal") this.#process.kill("SIGTERM");
    const killing = setTimeout(() => this.#process.kill("SIGKILL"), this.#options.graceMs ?? 20_000);
    await this.#exited;
    clearTimeout(killing);
  }
}
