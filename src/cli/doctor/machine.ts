/** What the checks ask of the machine; tests answer in its place. */
import { execFile } from "node:child_process";
import { access, constants, stat, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { surveyLimits, type LimitSurvey } from "../../provision/limits/choose.ts";
import { askMachine, type SandboxAbility } from "../../provision/sandbox/sandbox.ts";

/** How a command ended. */
export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** The machine that is examined. */
export interface Machine {
  platform: NodeJS.Platform;
  nodeVersion: string;
  environment: NodeJS.ProcessEnv;
  /** Undefined where there is no such program. A command that takes too long ends with exit code -1. */
  run(program: string, args: string[]): Promise<CommandResult | undefined>;
  /** The error code of an attempt to listen, e.g. `EADDRINUSE`; undefined where it worked. */
  tryListen(host: string, port: number): Promise<string | undefined>;
  /** The body of a GET, parsed as JSON; undefined where there is no answer or no JSON. */
  getJson(url: string): Promise<unknown>;
  /** What is at a path: a folder that can be written to, one that cannot, something else, or nothing. */
  lookAt(path: string): Promise<"writable" | "read_only" | "no_folder" | "absent">;
  /** How limits of sessions could be held. @param python Any interpreter. */
  surveyLimits(python: string): Promise<LimitSurvey>;
  /** Raises walls, each around a process of its own. @param python Any interpreter. */
  tryWalls(python: string): Promise<SandboxAbility>;
  /** Free bytes for the user on the disk that holds a path. */
  freeBytes(path: string): Promise<number>;
}

const COMMAND_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 3_000;

/** The machine that this process runs on. */
export const THIS_MACHINE: Machine = {
  platform: process.platform,
  nodeVersion: process.versions.node,
  environment: process.env,
  run: (program, args) =>
    new Promise((resolve) => {
      const options = { timeout: COMMAND_TIMEOUT_MS, killSignal: "SIGKILL" as const, maxBuffer: 2 ** 22 };
      execFile(program, args, options, (error, stdout, stderr) => {
        if (error?.code === "ENOENT") resolve(undefined);
        else resolve({ exitCode: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr });
      });
    }),
  tryListen: (host, port) =>
    new Promise((resolve) => {
      const server = createServer();
      server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
    }),
  getJson: async (url) => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
      return (await response.json()) as unknown;
    } catch {
      return undefined;
    }
  },
  lookAt: async (path) => {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return "absent";
    if (!found.isDirectory()) return "no_folder";
    return access(path, constants.W_OK | constants.X_OK).then(
      () => "writable" as const,
      () => "read_only" as const,
    );
  },
  surveyLimits,
  tryWalls: askMachine,
  freeBytes: async (path) => {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
};
