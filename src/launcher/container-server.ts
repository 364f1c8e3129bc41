/** A server in a container, as the client that started it sees it. */
import { createInterface } from "node:readline";
import type { Fetch } from "../client/index.ts";
import type { ClientSettings } from "../config.ts";
import { STOP_GRACE_SECONDS } from "./container-arguments.ts";
import { ended, type ContainerEngine, type EngineProcess } from "./container-engine.ts";
import type { LaunchedServer, ServerExit } from "./launcher.ts";
import { unixFetch } from "./unix-fetch.ts";

const KEPT_LINES = 100;

/** What it is made from. */
export interface ContainerServerOptions {
  engine: ContainerEngine;
  /** The container's. */
  name: string;
  /** The command that shows what the server writes, and that ends when the container does. */
  process: EngineProcess;
  settings: ClientSettings;
  apiKey: string | null;
  /** Which start of this client's it comes from; null where another client started it, and ends it. */
  startId: string | null;
}

/** The container, followed until it is let go. */
export class ContainerServer implements LaunchedServer {
  readonly url: string;
  readonly apiKey: string | null;
  readonly fetch: Fetch | undefined;
  readonly exited: Promise<ServerExit>;
  readonly #engine: ContainerEngine;
  readonly #name: string;
  readonly #process: EngineProcess;
  readonly #processEnded: Promise<unknown>;
  readonly #startId: string | null;
  readonly #recent: string[] = [];
  #untold: string[] = [];
  #exit: ServerExit | undefined;
  #isDetached = false;
  #termination: Promise<void> | undefined;

  constructor({ engine, name, process, settings, apiKey, startId }: ContainerServerOptions) {
    this.#startId = startId;
    this.#engine = engine;
    this.#name = name;
    this.#process = process;
    this.url = settings.url;
    this.apiKey = apiKey;
    this.fetch = settings.socketPath === null ? undefined : unixFetch(settings.socketPath);
    for (const stream of [process.stdout, process.stderr]) createInterface({ input: stream }).on("line", (line) => this.#note(line));
    const processEnded = ended(process);
    this.#processEnded = processEnded;
    this.exited = new Promise((resolve) => {
      void processEnded.then((exitCode) => {
        this.#exit = { exitCode, signal: null };
        // Once it is let go, the end of the command is not the end of the server.
        if (!this.#isDetached) resolve(this.#exit);
      });
    });
  }

  /** How it ended; undefined as long as it has not. */
  get exit(): ServerExit | undefined {
    return this.#exit;
  }

  async newLines(): Promise<string[]> {
    const lines = this.#untold;
    this.#untold = [];
    return lines;
  }

  /** The last lines for people, or else the last records. */
  async lastWords(): Promise<string> {
    const plain = this.#recent.filter(isForPeople).slice(-8);
    return (plain.length > 0 ? plain : this.#recent.slice(-5)).join("\n");
  }

  detach(): void {
    this.#isDetached = true;
    this.#process.kill("SIGKILL");
    // It must not keep the program; nor may it be waited for from here on.
    this.#process.unref();
  }

  terminate(): Promise<void> {
    return (this.#termination ??= this.#terminate());
  }

  async #terminate(): Promise<void> {
    if (this.#startId === null) return this.detach();
    try {
      const id = await this.#ownId();
      if (id !== undefined) await this.#engine.stop(id, STOP_GRACE_SECONDS);
    } finally {
      // The command first: it could be about to start what is removed here.
      this.#isDetached = true;
      this.#process.kill("SIGKILL");
      await this.#processEnded;
      const id = await this.#ownId();
      if (id !== undefined) await this.#engine.remove(id);
    }
  }

  /** Before the engine has made it, the name may be another client's container: that one is not ours to end. */
  async #ownId(): Promise<string | undefined> {
    const state = await this.#engine.containerState(this.#name);
    return state?.startId === this.#startId ? state.id : undefined;
  }

  #note(line: string): void {
    if (line.trim() === "") return;
    this.#recent.push(line);
    if (this.#recent.length > KEPT_LINES) this.#recent.shift();
    if (isForPeople(line)) this.#untold.push(line);
  }
}

/** Log records are for programs. */
function isForPeople(line: string): boolean {
  return !line.startsWith("{");
}
