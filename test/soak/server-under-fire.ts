/** A server process that is killed and started again on one work directory, with everything that it ever started within reach. */
import { once } from "node:events";
import { closeSync, createReadStream, fstatSync, openSync } from "node:fs";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "../helpers/python.ts";
import { freePort } from "../helpers/server-process.ts";

/** What the run expects to be told quickly. */
const ARGUMENTS = ["--interrupt-grace", "0.5", "--shutdown-grace", "0", "--log-format", "json", "--log-level", "debug"];
const START_LIMIT_MS = 60_000;
const FIRST_WORDS_BYTES = 4096;

/** How a run's servers are. */
export interface ServerOptions {
  /** Whether they can be told to collect their garbage. */
  isInspected: boolean;
  /** A machine that is busy may take long to start the next server: kernels that gave up meanwhile would be a loss. */
  orphanSeconds: number;
}

/** One server at a time. */
export class ServerUnderFire {
  /** Holds all that the run makes; the environment of each of its processes names it. */
  readonly folder: string;
  readonly url: string;
  readonly #port: number;
  readonly #nodeArguments: string[];
  readonly #arguments: string[];
  #child: ChildProcess | undefined;
  #inspectorUrl: string | undefined;
  #isUp = gate();
  /** Processes that were killed on purpose, and how, by number. */
  readonly killed = new Map<number, NodeJS.Signals[]>();

  private constructor(folder: string, port: number, { isInspected, orphanSeconds }: ServerOptions) {
    this.folder = folder;
    this.#nodeArguments = isInspected ? ["--inspect=127.0.0.1:0"] : [];
    this.#arguments = [...ARGUMENTS, "--orphan-timeout", String(orphanSeconds)];
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async make(options: ServerOptions): Promise<ServerUnderFire> {
    const folder = await mkdtemp(join(tmpdir(), "tw-soak-"));
    await mkdir(join(folder, "run"), { mode: 0o700 });
    return new ServerUnderFire(folder, await freePort(), options);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get logFile(): string {
    return join(this.folder, "server.log");
  }

  /** Starts it and waits until it answers. */
  async start(...more: string[]): Promise<void> {
    const log = openSync(this.logFile, "a", 0o600);
    const { size } = fstatSync(log);
    const place = ["--host", "127.0.0.1", "--port", String(this.#port), "--work-dir", join(this.folder, "work"), "--python", testPython()];
    const child = spawn(
      process.execPath,
      [...this.#nodeArguments, join(PACKAGE_ROOT, "dist/cli/main.js"), "server", ...place, ...this.#arguments, ...more],
      {
        cwd: this.folder,
        env: { ...process.env, XDG_RUNTIME_DIR: join(this.folder, "run"), TASKWEAVER_ENV_ID: "soak" },
        stdio: ["ignore", log, log],
      },
    );
    closeSync(log);
    this.#child = child;
    const limit = AbortSignal.timeout(START_LIMIT_MS);
    while (!(await answers(this.url))) {
      if (child.exitCode !== null || limit.aborted) throw new Error(`the server did not start: ${(await this.lastWords()).join("\n")}`);
      await delay(20);
    }
    const words = createReadStream(this.logFile, { encoding: "latin1", start: size, end: size + FIRST_WORDS_BYTES });
    this.#inspectorUrl = /ws:\S+/.exec(await text(words))?.[0];
    this.#isUp.open();
  }

  /** Ends it with a signal; resolves with its exit code, null where the signal did it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    this.#isUp = gate();
    const exited = once(child, "exit");
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  /** Resolves while a server is there. */
  up(): Promise<void> {
    return this.#isUp.opened;
  }

  /** Kills a process of this run; false where the number is none of its. */
  async kill(pid: number, signal: NodeJS.Signals): Promise<boolean> {
    if (!(await this.#isOurs(pid))) return false;
    this.killed.set(pid, [...(this.killed.get(pid) ?? []), signal]);
    try {
      process.kill(pid, signal);
      return true;
    } catch {
      return false;
    }
  }

  /** The kernel that a session's record names. */
  async kernelOf(sessionId: string): Promise<number | undefined> {
    const record = await readFile(join(this.folder, "work/sessions", sessionId, "ces/session.json"), "utf8").catch(() => "null");
    return (JSON.parse(record) as { kernel: { pid: number } | null } | null)?.kernel?.pid;
  }

  /** All living processes of this run, with their command lines. */
  async processes(): Promise<{ pid: number; parent: number; command: string }[]> {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
    const found = await Promise.all(
      pids.map(async (pid) => {
        if (!(await this.#isOurs(pid))) return [];
        const [command, stat] = await Promise.all(
          ["cmdline", "stat"].map((file) => readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "")),
        );
        const [state, parent] = stat!.slice(stat!.lastIndexOf(")") + 2).split(" ");
        return state === undefined || state === "Z" || state === ""
          ? []
          : [{ pid, parent: Number(parent), command: command!.replaceAll("\0", " ") }];
      }),
    );
    return found.flat();
  }

  /** Resident memory of the server. */
  async memoryBytes(): Promise<number> {
    const text = await readFile(`/proc/${this.pid}/status`, "latin1").catch(() => "");
    return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1] ?? 0) * 1024;
  }

  /** Where the server that runs now is inspected; undefined where none can be. */
  get inspectorUrl(): string | undefined {
    return this.#inspectorUrl;
  }

  async lastWords(count = 20): Promise<string[]> {
    return (await readFile(this.logFile, "utf8").catch(() => "")).trim().split("\n").slice(-count);
  }

  /** Ends all that is left, and removes the files. */
  async remove(): Promise<void> {
    await this.end("SIGKILL");
    for (const { pid } of await this.processes()) process.kill(pid, "SIGKILL");
    if (process.env["TASKWEAVER_SOAK_KEEP"] === undefined) await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #isOurs(pid: number): Promise<boolean> {
    return pid > 1 && (await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "")).includes(`XDG_RUNTIME_DIR=${this.folder}/run\0`);
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(`${url}/api/v1/ready`, { signal: AbortSignal.timeout(5_000) }).then(
    (response) => response.ok,
    () => false,
  );
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
