/** What a command sees of the world: streams, environment, folder and signals; tests bring their own. */
import type { Readable, Writable } from "node:stream";

/** The command line's surroundings. */
export interface Terminal {
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
  env: Record<string, string | undefined>;
  /** The current folder, absolute. */
  cwd: string;
  /** Calls back on Ctrl-C and on requests to end; returns what stops that. */
  onSignal(listener: (signal: EndSignal) => void): () => void;
}

/** What asks a command to end; SIGPIPE stands for a reader of its output that has gone. */
export type EndSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGPIPE";

/** The exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130, terminated: 143, hungUp: 129, brokenPipe: 141 } as const;

/** The real one. */
export function processTerminal(): Terminal {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    onSignal: (listener) => {
      const signals: EndSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];
      const heard = signals.map((signal) => [signal, () => listener(signal)] as const);
      for (const [signal, hear] of heard) process.on(signal, hear);
      pipeListener = () => listener("SIGPIPE");
      return () => {
        for (const [signal, hear] of heard) process.off(signal, hear);
        pipeListener = null;
      };
    },
  };
}

let pipeListener: (() => void) | null = null;

/** `taskweaver run ... | head`: who reads has had enough. Node turns that into errors of the stream, one for each write. */
export function watchBrokenPipe(): void {
  let isBroken = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (isBroken) return;
    isBroken = true;
    if (error.code !== "EPIPE" || pipeListener === null) process.exit(error.code === "EPIPE" ? EXIT.brokenPipe : EXIT.failed);
    pipeListener();
  });
  process.stderr.on("error", () => undefined);
}

/** The exit code after a signal, as shells count. */
export function exitCodeOf(signal: EndSignal): number {
  return { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hungUp, SIGPIPE: EXIT.brokenPipe }[signal];
}

/** Whether to write colours: on a terminal, unless NO_COLOR or a dumb terminal forbids it. */
export function hasColors(stream: { isTTY?: boolean }, env: Terminal["env"]): boolean {
  if (env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "") return false;
  if (env["FORCE_COLOR"] !== undefined && env["FORCE_COLOR"] !== "0") return true;
  return stream.isTTY === true && env["TERM"] !== "dumb";
}

/** Paints text, or leaves it as it is. */
export function painter(isOn: boolean): (style: keyof typeof STYLES, text: string) => string {
  return (style, text) => (isOn ? `\u001B[${STYLES[style]}m${text}\u001B[0m` : text);
}

const STYLES = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", cyan: "36" } as const;
