/** From configuration to a client that works: finds the server or starts one, and holds it while it is used. */
import { setTimeout as delay } from "node:timers/promises";
import { isFault, type ExecutionClient } from "../client/index.ts";
import type { ClientSettings } from "../config.ts";
import { UsageError } from "../errors.ts";
import { VERSION } from "../paths.ts";
import { ContainerLauncher } from "./container-launcher.ts";
import { connectionOptions, findServer, keyOf } from "./find-server.ts";
import type { LaunchedServer, ServerExit, ServerLauncher } from "./launcher.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { probe } from "./probe.ts";
import { removeDeadStartLock, startLockHolder, takeStartLock } from "./start-lock.ts";
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
/** Who looks at a terminal wants to know by then what is waited for. */
const PATIENCE_MS = 3_000;
const SILENCE_TIMEOUT_MS = 120_000;
/** A server that lost the race for the port ends just before the winner answers. */
const WINNER_TIMEOUT_MS = 5_000;
/** A server that ends lets running code finish first. */
const ENDING_TIMEOUT_MS = 60_000;

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
    for (const until = Date.now() + ENDING_TIMEOUT_MS; ; await delay(POLL_MS, undefined, { signal: options.signal })) {
      const { client, isStarted, version = VERSION } = await findOrStart(settings, onProgress, options);
      try {
        const lease = await LeaseKeeper.take(client, settings.mayStart, options.signal);
        tellVersions(version, settings.url, onProgress);
        return new ExecutionService(client, lease, isStarted);
      } catch (error) {
        // One that ends just now, as one does that nobody used, is followed by another.
        const isEnding = isFault(error, "shutting_down", "connection_refused", "connection_lost");
        if (!isEnding || !settings.mayStart || Date.now() > until) throw error;
      }
    }
  }

  /** Lets the server go: one that a client started ends when nobody uses it. Idempotent. */
  async close(): Promise<void> {
    await this.#lease.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

interface OpenedServer {
  client: ExecutionClient;
  isStarted: boolean;
  /** Of one that was there. */
  version?: string;
}

async function findOrStart(
  settings: ClientSettings,
  onProgress: (line: string) => void,
  options: ExecutionServiceOptions,
): Promise<OpenedServer> {
  const patience = setTimeout(() => onProgress(`Waiting for an answer from ${settings.url}`), PATIENCE_MS);
  const found = await findServer(settings, options.signal).finally(() => clearTimeout(patience));
  if (found.kind === "ready") {
    if (settings.mayStart) await removeDeadStartLock(settings.workDir);
    return { client: found.client, isStarted: false, version: found.health.version };
  }
  if (found.kind === "taken" || !settings.mayStart) throw found.error;
  return new Starter(settings, options.launcher ?? launcherOf(settings), onProgress, options).start();
}

function launcherOf(settings: ClientSettings): ServerLauncher {
  return settings.container === null ? new SubprocessLauncher() : new ContainerLauncher();
}

function tellVersions(version: string, url: string, onProgress: (line: string) => void): void {
  const minor = (text: string) => text.split(".").slice(0, 2).join(".");
  if (minor(version) !== minor(VERSION))
    onProgress(
      `The server at ${url} is version ${version}, this client ${VERSION}: some functions may be missing; update the older of the two.`,
    );
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

  async start(): Promise<OpenedServer> {
    const lock = await this.#lockOrServer();
    if (!("release" in lock)) return { client: lock.client, isStarted: false };
    try {
      for (let isFirst = true; ; isFirst = false) {
        const opened = await this.#launch(isFirst);
        if (opened !== null) return opened;
      }
    } finally {
      await lock.release();
    }
  }

  /**
   * @param mayEnd Whether it may end in good order before it answers, as another client's container does that nobody uses any more.
   * @returns null where it did.
   */
  async #launch(mayEnd: boolean): Promise<OpenedServer | null> {
    const server = await this.#launcher.launch({ settings: this.#settings, onProgress: this.#onProgress, signal: this.#signal });
    try {
      const opened = await this.#waitUntilReady(server, mayEnd);
      server.detach();
      return opened;
    } catch (error) {
      await server.terminate();
      throw error;
    }
  }

  /** The right to start a server, or the server that another client started meanwhile. */
  async #lockOrServer() {
    const since = Date.now();
    for (let isTold = false; ; isTold = true) {
      const lock = await takeStartLock(this.#settings.workDir);
      const found = await findServer(this.#settings, this.#signal);
      if (found.kind === "ready") {
        await lock?.release();
        return found;
      }
      if (lock !== null) return lock;
      if (!isTold) this.#onProgress("Another client is starting the server; waiting for it.");
      const holder = await startLockHolder(this.#settings.workDir);
      // One that lives has its own limits for a server that says nothing; the making of an environment may take longer.
      if (holder !== null && Date.now() - Math.max(since, holder.seenAt) > this.#silenceTimeoutMs) {
        throw new UsageError(
          `Another client (process ${holder.pid}) holds the right to start the server and does nothing: end it, or see ${this.#settings.workDir}/server.log.`,
        );
      }
      await delay(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  async #waitUntilReady(server: LaunchedServer, mayEnd: boolean): Promise<OpenedServer | null> {
    let exit: ServerExit | null = null;
    void server.exited.then((value) => (exit = value));
    const options = { ...connectionOptions(this.#settings), url: server.url, apiKey: server.apiKey ?? undefined };
    if (server.fetch !== undefined) options.fetch = server.fetch;
    for (let lastWordAt = Date.now(); ;) {
      const lines = await server.newLines();
      // What it ends with is quoted when it has ended.
      for (const line of lines) if (!line.startsWith("taskweaver: ")) this.#onProgress(line);
      if (lines.length > 0) lastWordAt = Date.now();
      if (exit !== null) return this.#winner(server, exit, mayEnd);
      const seen = await probe(options, this.#signal);
      if (seen.kind === "ready") return { client: seen.client, isStarted: true };
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
  async #winner(server: LaunchedServer, exit: ServerExit, mayEnd: boolean): Promise<OpenedServer | null> {
    const words = await server.lastWords();
    const until = Date.now() + (/in use/i.test(words) ? WINNER_TIMEOUT_MS : 0);
    do {
      const found = await findServer(this.#settings, this.#signal);
      if (found.kind === "ready") return { client: found.client, isStarted: false };
      await delay(POLL_MS, undefined, { signal: this.#signal });
    } while (Date.now() < until);
    if (exit.exitCode === 0 && mayEnd) return null;
    const how = exit.signal === null ? `exit code ${exit.exitCode}` : exit.signal;
    throw new UsageError(`The server could not be started (${how}).${quoted(words)}`);
  }
}

function quoted(words: string): string {
  return words.trim() === "" ? "" : ` Its last words:\n${words.replaceAll(/^/gm, "  ")}`;
}
