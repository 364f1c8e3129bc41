/** The container engine, spoken to by its own `docker` command: so its contexts, sockets and credentials hold here too. */
import { execFile, spawn, type ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { UsageError } from "../errors.ts";
import { START_LABEL } from "./container-arguments.ts";
import { engineFault } from "./container-faults.ts";

/** What the engine says of itself. */
export interface EngineInfo {
  /** Of the machine that runs containers; 0 where it does not say. */
  memoryBytes: number;
  /** The engine runs as the user, whom containers know as root. */
  isRootless: boolean;
}

/** What the engine says of a container. */
export interface ContainerState {
  /** The engine's own; a name may be another container's by the next call. */
  id: string;
  /** `created`, `running`, `exited`, `dead`, `removing`, ... */
  status: string;
  /** Which start it is of; empty where it has no such label. */
  startId: string;
}

/** A `docker` command that was started. */
export type EngineProcess = ChildProcessByStdio<null, Readable, Readable>;

const QUICK_TIMEOUT_MS = 20_000;
const PULL_TIMEOUT_MS = 60 * 60_000;
const REMOVAL_POLL_MS = 50;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** A container engine. */
export class ContainerEngine {
  readonly #program: string;
  readonly #environment: NodeJS.ProcessEnv;

  /** @param program The command, Docker's or one that takes the same arguments. */
  constructor(program = "docker", environment: NodeJS.ProcessEnv = process.env) {
    this.#program = program;
    this.#environment = environment;
  }

  /** @throws UsageError where there is no engine on this machine that answers, with what mends it. */
  async info(signal?: AbortSignal): Promise<EngineInfo> {
    const [answer, host] = await Promise.all([
      this.#run(["info", "--format", "{{json .}}"], { signal }),
      this.#run(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], { signal }).catch(() => undefined),
    ]);
    const info = JSON.parse(answer.stdout === "" ? "{}" : answer.stdout) as Partial<DockerInfo>;
    const complaint = info.ServerErrors?.[0] ?? (answer.exitCode === 0 ? undefined : answer.stderr);
    if (complaint !== undefined) throw engineFault(complaint);
    refuseElsewhere(host?.stdout.trim() ?? "");
    return {
      memoryBytes: info.MemTotal ?? 0,
      isRootless: info.SecurityOptions?.some((option) => option.includes("rootless")) ?? false,
    };
  }

  /** The labels of a local image; undefined where there is no such image. */
  async imageLabels(image: string, signal?: AbortSignal): Promise<Record<string, string> | undefined> {
    const answer = await this.#run(["image", "inspect", "--format", "{{json .Config.Labels}}", image], { signal });
    if (answer.exitCode === 0) return (JSON.parse(answer.stdout) as Record<string, string> | null) ?? {};
    if (/no such image/i.test(answer.stderr)) return undefined;
    throw engineFault(answer.stderr);
  }

  /**
   * Fetches an image; told each line that the engine says meanwhile.
   * @returns what the engine says where it fails, else undefined.
   */
  async pull(image: string, onLine: (line: string) => void, signal?: AbortSignal): Promise<string | undefined> {
    const child = this.start(["pull", image], { signal, timeoutMs: PULL_TIMEOUT_MS });
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
    createInterface({ input: child.stdout }).on("line", onLine);
    const exitCode = await ended(child);
    signal?.throwIfAborted();
    return exitCode === 0 ? undefined : complaint;
  }

  /** The state of a container, by its name or id; undefined where there is none. */
  async containerState(name: string): Promise<ContainerState | undefined> {
    const format = `{{.Id}} {{.State.Status}} {{index .Config.Labels "${START_LABEL}"}}`;
    const answer = await this.#run(["container", "inspect", "--format", format, name]);
    if (answer.exitCode !== 0) return undefined;
    const [id = "", status = "", startId = ""] = answer.stdout.trim().split(" ");
    return { id, status, startId };
  }

  /** What the process in a container has written, its last lines; empty where it is gone. */
  async logs(name: string, lines: number): Promise<string> {
    const answer = await this.#run(["logs", "--tail", String(lines), name]);
    return answer.exitCode === 0 ? answer.stdout + answer.stderr : "";
  }

  /** Asks a container to end, and ends it where it has not after this time. */
  async stop(name: string, graceSeconds: number): Promise<void> {
    await this.#run(["stop", "--time", String(graceSeconds), name], { timeoutMs: QUICK_TIMEOUT_MS + graceSeconds * 1000 });
  }

  /**
   * Removes a container, running or not; resolves when it is gone.
   * @throws UsageError where the engine does not manage to.
   */
  async remove(name: string): Promise<void> {
    const until = Date.now() + QUICK_TIMEOUT_MS;
    for (;;) {
      // While the engine removes it already, by itself, it refuses to.
      await this.#run(["rm", "--force", "--volumes", name]);
      const state = await this.containerState(name);
      if (state === undefined) return;
      if (Date.now() > until) {
        throw new UsageError(`The container ${name} cannot be removed (it is ${state.status}); try: docker rm --force ${name}`);
      }
      await delay(REMOVAL_POLL_MS);
    }
  }

  /** Starts a command whose output is the caller's to read. */
  start(
    args: string[],
    options: { signal?: AbortSignal | undefined; timeoutMs?: number; environment?: Record<string, string> } = {},
  ): EngineProcess {
    return spawn(this.#program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...this.#environment, ...options.environment },
      // A group of its own: Ctrl-C in the client's terminal is not for it.
      detached: true,
      signal: options.signal,
      timeout: options.timeoutMs,
    });
  }

  #run(args: string[], options: { signal?: AbortSignal | undefined; timeoutMs?: number } = {}): Promise<Answer> {
    const { signal, timeoutMs = QUICK_TIMEOUT_MS } = options;
    return new Promise((resolve, reject) => {
      const limits = { timeout: timeoutMs, maxBuffer: MAX_ANSWER_BYTES, signal, env: this.#environment };
      execFile(this.#program, args, limits, (error, stdout, stderr) => {
        if (error === null) resolve({ exitCode: 0, stdout, stderr });
        else if (typeof error.code === "number") resolve({ exitCode: error.code, stdout, stderr });
        else if (signal?.aborted === true) reject(new Error("The wait for the container engine was ended.", { cause: error }));
        else if (error.killed === true)
          reject(new UsageError(`The container engine did not answer within ${timeoutMs / 1000} s: is it overloaded?`, { cause: error }));
        else reject(engineFault(error));
      });
    });
  }
}

/** Resolves with the exit code of a command; null where it was killed or could not be started. */
export function ended(child: EngineProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", (exitCode) => resolve(exitCode));
  });
}

interface Answer {
  exitCode: number;
  stdout: string;
  stderr: string;
}

interface DockerInfo {
  MemTotal: number;
  SecurityOptions: string[] | null;
  ServerErrors: string[];
}

/** A folder of this machine cannot be mounted there, and its loopback is not ours. */
function refuseElsewhere(endpoint: string): void {
  const host = /^(?:tcp|ssh|https?):\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/.exec(endpoint)?.[1];
  if (host === undefined || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(host)) return;
  throw new UsageError(
    `The container engine is on another machine (${host}): start the server there, and name it by execution.server.url instead of execution.server.container.`,
  );
}
