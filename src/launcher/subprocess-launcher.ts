/** Starts a server as a process of its own, which outlives the client until nobody uses it. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientSettings } from "../config.ts";
import { messageOf, UsageError } from "../errors.ts";
import { PACKAGE_ROOT } from "../paths.ts";
import type { LaunchedServer, LaunchRequest, ServerExit, ServerLauncher } from "./launcher.ts";
import { ServerLog } from "./server-log.ts";
import { unixFetch } from "./unix-fetch.ts";

const KILL_AFTER_MS = 15_000;

/** How the process is started. */
export interface SubprocessOptions {
  /** The program and its first arguments; by default this package's own command. */
  command?: readonly string[];
  /** @default process.env */
  environment?: NodeJS.ProcessEnv;
  /** How long the server stays when nobody uses it; its own setting by default. */
  unusedGraceSeconds?: number;
}

/** Runs `taskweaver server` in the background. */
export class SubprocessLauncher implements ServerLauncher {
  readonly #command: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #unusedGraceSeconds: number | undefined;

  constructor(options: SubprocessOptions = {}) {
    this.#command = options.command ?? [process.execPath, ownCommand()];
    this.#environment = options.environment ?? process.env;
    this.#unusedGraceSeconds = options.unusedGraceSeconds;
  }

  async launch({ settings }: LaunchRequest): Promise<LaunchedServer> {
    const [program, ...args] = this.#command;
    const script = args[0];
    if (program === undefined || (script !== undefined && !existsSync(script))) {
      throw new UsageError(`The server's program ${script ?? ""} is missing: build it with \`npm run build\`.`);
    }
    const { log, handle } = await openLog(settings.workDir);
    try {
      const child = spawn(program, [...args, ...serverArguments(settings, this.#unusedGraceSeconds)], {
        cwd: settings.projectDirectory ?? process.cwd(),
        // The key goes by the environment: arguments are for all users to see.
        env: settings.apiKey === null ? this.#environment : { ...this.#environment, TASKWEAVER_SERVER_API_KEY: settings.apiKey },
        stdio: ["ignore", handle.fd, handle.fd],
        // A session of its own: Ctrl-C in the client's terminal is not for it.
        detached: true,
      });
      return new Subprocess(child, settings, log);
    } finally {
      await handle.close();
    }
  }
}

/** Beside this file where it is compiled; tests run the sources and start what was built. */
function ownCommand(): string {
  const beside = fileURLToPath(new URL("../cli/main.js", import.meta.url));
  return existsSync(beside) ? beside : join(PACKAGE_ROOT, "dist/cli/main.js");
}

function serverArguments(settings: ClientSettings, unusedGraceSeconds: number | undefined): string[] {
  return [
    "server",
    ...(settings.projectDirectory === null ? [] : ["--project", settings.projectDirectory]),
    ...(settings.socketPath === null ? ["--host", settings.host, "--port", String(settings.port)] : ["--socket", settings.socketPath]),
    // It is this client's, on this machine: what the file says of https is for a server that others call.
    "--tls-certificate",
    "",
    "--tls-key",
    "",
    "--work-dir",
    settings.workDir,
    ...(settings.python === null ? [] : ["--python", settings.python]),
    "--exit-when-unused",
    ...(unusedGraceSeconds === undefined ? [] : ["--unused-grace", String(unusedGraceSeconds)]),
  ];
}

async function openLog(workDir: string) {
  const path = join(workDir, "server.log");
  try {
    return await ServerLog.open(path);
  } catch (error) {
    throw new UsageError(
      `The work directory ${workDir} is not writable (${messageOf(error)}): choose another (execution.server.work_dir).`,
      {
        cause: error,
      },
    );
  }
}

class Subprocess implements LaunchedServer {
  readonly url: string;
  readonly apiKey: string | null;
  readonly fetch;
  readonly exited: Promise<ServerExit>;
  readonly #child: ChildProcess;
  readonly #log: ServerLog;

  constructor(child: ChildProcess, settings: ClientSettings, log: ServerLog) {
    this.#child = child;
    this.#log = log;
    this.url = settings.url;
    this.apiKey = settings.apiKey;
    this.fetch = settings.socketPath === null ? undefined : unixFetch(settings.socketPath);
    this.exited = new Promise((resolve) => {
      child.once("error", () => resolve({ exitCode: null, signal: null }));
      child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
    });
  }

  newLines(): Promise<string[]> {
    return this.#log.newLines();
  }

  lastWords(): Promise<string> {
    return this.#log.lastWords();
  }

  detach(): void {
    this.#child.unref();
  }

  async terminate(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), KILL_AFTER_MS);
    await this.exited;
    clearTimeout(timer);
  }
}
