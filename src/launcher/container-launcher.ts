/** Starts a server in a container, which outlives the client until nobody uses it. */
import { randomUUID } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { ClientSettings, ContainerSettings } from "../config.ts";
import { messageOf, UsageError } from "../errors.ts";
import { containerName, memoryLimits, runArguments } from "./container-arguments.ts";
import { ContainerEngine, ended, type EngineInfo, type EngineProcess } from "./container-engine.ts";
import { serverVariables } from "./container-environment.ts";
import { startFault } from "./container-faults.ts";
import { findImage } from "./container-image.ts";
import { keepContainerKey, knownContainerKey, makeContainerKey } from "./container-key.ts";
import { ContainerServer } from "./container-server.ts";
import type { LaunchedServer, LaunchRequest, ServerLauncher } from "./launcher.ts";

const POLL_MS = 50;
const START_TIMEOUT_MS = 60_000;

/** The engine's exit codes for a container that it did not start; all others are the server's own. */
const NOT_STARTED = new Set<number | null>([null, 125, 126, 127]);

/** The user of the image; taken where this system knows no user ids. */
const IMAGE_USER = "1000:1000";

/** How containers are run. */
export interface ContainerOptions {
  engine?: ContainerEngine;
  /** @default process.env */
  environment?: NodeJS.ProcessEnv;
  /** How long the server stays when nobody uses it; its own setting by default. */
  unusedGraceSeconds?: number;
}

/** Runs the server's image with all walls up. */
export class ContainerLauncher implements ServerLauncher {
  readonly #engine: ContainerEngine;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #unusedGraceSeconds: number | undefined;

  constructor(options: ContainerOptions = {}) {
    this.#environment = options.environment ?? process.env;
    this.#engine = options.engine ?? new ContainerEngine("docker", this.#environment);
    this.#unusedGraceSeconds = options.unusedGraceSeconds;
  }

  async launch({ settings, onProgress, signal }: LaunchRequest): Promise<LaunchedServer> {
    const { container } = settings;
    if (container === null) throw new UsageError("Set execution.server.container to true to start the server in a container.");
    const info = await this.#engine.info(signal);
    const image = await findImage(this.#engine, { image: container.image, onProgress, signal });
    await makeWorkDirectory(settings.workDir);
    if (await this.#isRunning(settings)) return this.#join(settings);
    onProgress(`Starting the server in a container (${image})`);
    return this.#run(settings, container, { image, info, signal });
  }

  /** Whether the container runs already; one that is left from a start that broke off is removed. */
  async #isRunning(settings: ClientSettings): Promise<boolean> {
    const name = containerName(settings);
    const state = await this.#engine.containerState(name);
    if (state === undefined) return false;
    if (state.status === "running") return true;
    await this.#engine.remove(name);
    return false;
  }

  /** A container that another client started, and that does not answer yet. */
  async #join(settings: ClientSettings): Promise<LaunchedServer> {
    const name = containerName(settings);
    const follower = this.#engine.start(["logs", "--follow", "--tail", "100", name]);
    const apiKey = settings.apiKey ?? (await knownContainerKey(settings, this.#environment));
    return new ContainerServer({ engine: this.#engine, name, process: follower, settings, apiKey, startId: null });
  }

  async #run(settings: ClientSettings, container: ContainerSettings, { image, info, signal }: Found): Promise<LaunchedServer> {
    const name = containerName(settings);
    const earlierKey = await knownContainerKey(settings, this.#environment);
    const apiKey = settings.apiKey ?? (await makeContainerKey(settings, this.#environment));
    const environment = serverVariables(settings, apiKey, this.#environment);
    const startId = randomUUID();
    const args = runArguments({
      settings,
      startId,
      container,
      image,
      user: await userOf(settings.workDir, info),
      limits: memoryLimits(container.memory, info.memoryBytes),
      variables: Object.keys(environment),
      unusedGraceSeconds: this.#unusedGraceSeconds,
    });
    for (const until = Date.now() + START_TIMEOUT_MS; ; await delay(POLL_MS, undefined, { signal })) {
      const command = this.#engine.start(args, { environment });
      const server = new ContainerServer({ engine: this.#engine, name, process: command, settings, apiKey, startId });
      try {
        await this.#started({ name, startId, command, signal });
      } catch (error) {
        await server.terminate();
        throw error;
      }
      const exit = server.exit;
      if (exit === undefined || !NOT_STARTED.has(exit.exitCode)) return server;
      const complaint = await server.lastWords();
      const isNameTaken = /is already in use by container/i.test(complaint);
      // A client that was killed while the engine made its container: what is there has its key, not the one just made.
      if (isNameTaken && (await this.#isRunning(settings))) {
        if (earlierKey !== null) await keepContainerKey(settings, earlierKey, this.#environment);
        return this.#join(settings);
      }
      // One that was made and never started is gone now; the name may be ours the next time.
      if (isNameTaken && Date.now() < until) continue;
      await server.terminate();
      throw startFault(complaint, { container, port: settings.port, workDir: settings.workDir });
    }
  }

  /** Waits until the container of this start runs, not another one of its name, or the engine's command has ended. */
  async #started({ name, startId, command, signal }: Start): Promise<void> {
    let isEnded = false;
    void ended(command).then(() => (isEnded = true));
    const until = Date.now() + START_TIMEOUT_MS;
    while (!isEnded) {
      const state = await this.#engine.containerState(name);
      if (state?.status === "running" && state.startId === startId) return;
      if (Date.now() > until)
        throw new UsageError(`The container engine has not started the container within ${START_TIMEOUT_MS / 1000} s: is it overloaded?`);
      await delay(POLL_MS, undefined, { signal });
    }
  }
}

interface Found {
  image: string;
  info: EngineInfo;
  signal: AbortSignal | undefined;
}

interface Start {
  name: string;
  startId: string;
  command: EngineProcess;
  signal: AbortSignal | undefined;
}

async function makeWorkDirectory(workDir: string): Promise<void> {
  try {
    // The engine would make it as root.
    await mkdir(workDir, { recursive: true });
  } catch (error) {
    throw new UsageError(
      `The work directory ${workDir} cannot be made (${messageOf(error)}): choose another (execution.server.work_dir).`,
      { cause: error },
    );
  }
}

/** Who the server is in the container, so that its files belong to the user outside. */
async function userOf(workDir: string, { isRootless }: EngineInfo): Promise<string> {
  // Such an engine gives its user's id to the container's root.
  if (isRootless) return "0:0";
  const uid = process.getuid?.();
  if (uid === undefined) return IMAGE_USER;
  if (uid !== 0) return `${uid}:${process.getgid?.() ?? uid}`;
  // Root without capabilities may not write to another's folder.
  const folder = await stat(workDir);
  return `${folder.uid}:${folder.gid}`;
}
