/** From configuration to a client that works: finds the server or starts one, and holds it while it is used. */
import { setTimeout as delay } from "node:timers/promises";
import type { ExecutionClient } from "../client/index.ts";
import type { ClientSettings } from "../config.ts";
import { UsageError } from "../errors.ts";
import { VERSION } from "../paths.ts";
import { ContainerLauncher } from "./container-launcher.ts";
import { connectionOptions, findServer, keyOf, type FoundServer } from "./find-server.ts";
import type { LaunchedServer, ServerExit, ServerLauncher } from "./launcher.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { probe } from "./probe.ts";
import { removeDeadStartLock, takeStartLock } from "./start-lock.ts";
import { SubprocessLauncher } from "./subprocess-launcher.ts";

/** How a service is opened. */
export interface ExecutionServiceOptions {
  /** Told line by line what takes long. */
  onProgress?: (line: string) => void;
  signal?: AbortSignal | undefined;
  /** Starts servers; by default as the settings say. */
  launcher?: ServerLauncher;
  /**
   * How long a server that is starting may say nothing.
   * @default 120_000
   */
  silenceTimeoutMs?: number;
}

const POLL_MS = 100;
const SILENCE_TIMEOUT_MS = 120_000;
/** A server that lost the race for the port ends just before the winner answers. */
const WINNER_TIMEOUT_MS = 5_000;

/** A server that answers, and a hold on it. */
export class ExecutionService implements AsyncDisposable {
  readonly client: ExecutionClient;
  /** Whether this call started the server. */
  readonly isStarted: boolean;
  readonly #lease: LeaseKeeper;

  private constructor(client: ExecutionClient, lease: LeaseKeeper, isStarted: boolean) {
    this.client = client;
    this.#lease = lease;
    this.isStarted = isStarted;
  }

  /**
   * Finds the server of the settings, or starts it.
   * @throws UsageError, or ExecutionClientError where the server is there and cannot be used.
   */
  static async open(settings: ClientSettings, options: ExecutionServiceOptions = {}): Promise<ExecutionService> {
    const onProgress = options.onProgress ?? (() => undefined);
    const found = await findServer(settings, options.signal);
    if (found.kind === "ready") {
      tellVersions(found.health.version, settings.url, onProgress);
      if (settings.mayStart) await removeDeadStartLock(settings.workDir);
      return new ExecutionService(found.client, await LeaseKeeper.take(found.client), false);
    }
    if (found.kind === "taken" || !settings.mayStart) throw found.error;
    const starter = new Starter(settings, options.launcher ?? launcherOf(settings), onProgress, options);
    const [client, isStarted] = await starter.start();
    return new ExecutionService(client, await LeaseKeeper.take(client), isStarted);
  }

  /** Lets the server go: one that a client started ends when nobody uses it. Idempotent. */
  async close(): Promise<void> {
    await this.#lease.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function launcherOf(settings: ClientSettings): ServerLauncher {
  return settings.container === null ? new SubprocessLauncher() : new ContainerLauncher();
}

function tellVersions(version: string, url: string, onProgress: (line: string) => void): void {
  const minor = (text: string) => text.split(".").slice(0, 2).join(".");
  if (minor(version) !== minor(VERSION))
    onProgress(`The server at ${url} is version ${version}, this client ${VERSION}: some functions may be missing.`);
}

/** One attempt to get a server going. */
class Starter {
  readonly #settings: ClientSettings;
  readonly #launcher: ServerLauncher;
  readonly #onProgress: (line: string) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #silenceTimeoutMs: number;

  constructor(settings: ClientSettings, launcher: ServerLauncher, onProgress: (line: string) => void, options: ExecutionServiceOptions) {
    this.#settings = settings;
    this.#launcher = launcher;
    this.#onProgress = onProgress;
    this.#signal = options.signal;
    this.#silenceTimeoutMs = options.silenceTimeoutMs ?? SILENCE_TIMEOUT_MS;
  }

  async start(): Promise<[client: ExecutionClient, isStarted: boolean]> {
    const lock = await this.#lockOrServer();
    if (!("release" in lock)) return [lock.client, false];
    try {
      const server = await this.#launcher.launch({ settings: this.#settings, onProgress: this.#onProgress, signal: this.#signal });
      try {
        const client = await this.#waitUntilReady(server);
        server.detach();
        return client;
      } catch (error) {
        await server.terminate();
        throw error;
      }
    } finally {
      await lock.release();
    }
  }

  /** The right to start a server, or the server that another client started meanwhile. */
  async #lockOrServer() {
    const until = Date.now() + this.#silenceTimeoutMs;
    for (let isTold = false; ; isTold = true) {
      const lock = await takeStartLock(this.#settings.workDir);
      const found = await findServer(this.#settings, this.#signal);
      if (found.kind === "ready") {
        await lock?.release();
        return found;
      }
      if (lock !== null) return lock;
      if (!isTold) this.#onProgress("Another client is starting the server; waiting for it.");
      if (Date.now() > until) {
        throw new UsageError(`Another client has been starting the server for too long: see ${this.#settings.workDir}/server.log.`);
      }
      await delay(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  async #waitUntilReady(server: LaunchedServer): Promise<[client: ExecutionClient, isStarted: boolean]> {
    let exit: ServerExit | null = null;
    void server.exited.then((value) => (exit = value));
    const options = { ...connectionOptions(this.#settings), url: server.url, apiKey: server.apiKey ?? undefined };
    if (server.fetch !== undefined) options.fetch = server.fetch;
    for (let lastWordAt = Date.now(); ;) {
      const lines = await server.newLines();
      // What it ends with is quoted when it has ended.
      for (const line of lines) if (!line.startsWith("taskweaver: ")) this.#onProgress(line);
      if (lines.length > 0) lastWordAt = Date.now();
      if (exit !== null) return [(await this.#winner(server, exit)).client, false];
      const seen = await probe(options, this.#signal);
      if (seen.kind === "ready") return [seen.client, true];
      if (seen.kind === "refused") {
        // Where nobody is local, as in a container or beside walled kernels, a server that was given no key has made one.
        const apiKey = options.apiKey === undefined ? await keyOf(this.#settings.workDir) : null;
        if (apiKey === null) throw seen.fault;
        options.apiKey = apiKey;
        continue;
      }
      if (Date.now() - lastWordAt > this.#silenceTimeoutMs) {
        throw new UsageError(`The server did not answer at ${server.url} in time.${quoted(await server.lastWords())}`);
      }
      await delay(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  /** Of two servers started at once for one port, one ends; the other is as good. */
  async #winner(server: LaunchedServer, exit: ServerExit): Promise<FoundServer> {
    const words = await server.lastWords();
    const until = Date.now() + (/in use/i.test(words) ? WINNER_TIMEOUT_MS : 0);
    do {
      const found = await findServer(this.#settings, this.#signal);
      if (found.kind === "ready") return found;
      await delay(POLL_MS, undefined, { signal: this.#signal });
    } while (Date.now() < until);
    const how = exit.signal === null ? `exit code ${exit.exitCode}` : exit.signal;
    throw new UsageError(`The server could not be started (${how}).${quoted(words)}`);
  }
}

function quoted(words: string): string {
  return words.trim() === "" ? "" : ` Its last words:\n${words.replaceAll(/^/gm, "  ")}`;
}
