/** The command line as a user runs it: the built program in a process of its own, in a terminal where that matters. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "../helpers/python.ts";

const PROGRAM = join(PACKAGE_ROOT, "dist/cli/main.js");
const IN_TERMINAL = fileURLToPath(new URL("../fixtures/in_terminal.py", import.meta.url));

/** A running command. */
export interface CliProcess {
  readonly pid: number;
  /** What it wrote so far. */
  readonly stdout: string;
  readonly stderr: string;
  write(text: string): void;
  /** Ends its input. */
  end(): void;
  /** Stops reading what it writes, as `head` does. */
  closeOutput(): void;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when standard output holds this, from where the last call found something; rejects when it ends without. */
  saw(pattern: RegExp): Promise<RegExpExecArray>;
  /** The exit code; signals count as in shells. */
  readonly exited: Promise<number>;
}

/** How it is run. */
export interface CliOptions {
  cwd: string;
  env?: Record<string, string>;
  /** Whether to give it a terminal; its standard error then goes to `stdout` too. */
  inTerminal?: boolean;
  /** Its input, whole; without it the input stays open. */
  input?: string;
}

/** Starts the command. */
export function startCli(args: string[], options: CliOptions): CliProcess {
  const command = [process.execPath, PROGRAM, ...args];
  const [program, ...rest] = options.inTerminal === true ? [testPython(), IN_TERMINAL, ...command] : command;
  const child = spawn(program!, rest, {
    cwd: options.cwd,
    env: { ...process.env, ...userEnvironment(options.cwd), ...options.env },
    stdio: "pipe",
  });
  const written = { stdout: "", stderr: "" };
  let seenLength = 0;
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
      for (const watch of watchers) watch();
    });
  }
  child.stdin.on("error", () => undefined);
  if (options.input !== undefined) child.stdin.end(options.input);
  const exited = new Promise<number>((resolve) => child.once("close", (code, signal) => resolve(code ?? (signal === null ? -1 : 128))));
  return {
    pid: child.pid!,
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    write: (text) => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    closeOutput: () => void child.stdout.destroy(),
    kill: (signal) => void child.kill(signal),
    exited,
    saw: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(written.stdout.slice(seenLength));
          if (match === null) return;
          seenLength += match.index + match[0].length;
          watchers.delete(look);
          resolve(match);
        };
        watchers.add(look);
        void exited.then((code) =>
          reject(new Error(`it ended (${code}) without ${String(pattern)}:\n${written.stdout}\n${written.stderr}`)),
        );
        look();
      }),
  };
}

/** Runs the command to its end. */
export async function runCli(args: string[], options: CliOptions): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const cli = startCli(args, { input: "", ...options });
  const exitCode = await cli.exited;
  return { exitCode, stdout: cli.stdout, stderr: cli.stderr };
}

/** Nothing of the user's who runs the tests: no history, no settings, no colours. */
function userEnvironment(folder: string): Record<string, string> {
  return { TASKWEAVER_PYTHON: testPython(), XDG_STATE_HOME: join(folder, ".state"), NO_COLOR: "1", TERM: "xterm" };
}
