/** Forks Python kernels from a prepared template; starts every other kernel as a process of its own. */
import { statSync } from "node:fs";
import type { Logger } from "pino";
import { AppError, messageOf } from "../errors.ts";
import { createIpcConnection } from "../kernel/connection.ts";
import { Backoff } from "./backoff.ts";
import { removeConnectionFiles } from "./connection-file.ts";
import { ForkServer } from "./fork-server.ts";
import { kernelEnvironment } from "./kernel-environment.ts";
import { OwnedKernelProcess } from "./kernel-process.ts";
import { findKernelSpec, OWN_KERNEL_NAME, type KernelSpec } from "./kernelspecs.ts";
import type { LimitHolder } from "./limits/limits.ts";
import { memoryKillCounter } from "./limits/memory-kills.ts";
import { preferAsVictim } from "./out-of-memory.ts";
import { openKernelLog } from "./log-tail.ts";
import type { KernelLaunchRequest, KernelProcess, KernelProvisioner } from "./provisioner.ts";
import type { PythonEnvironment } from "./python-environment.ts";
import { keepRuntimeDirectory, uniqueName } from "./runtime-directory.ts";
import { makeKernelPlace, WALLED_SOCKET_NAME } from "./sandbox/kernel-place.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";

/** What the provisioner needs. */
export interface ForkProvisionerOptions {
  python: PythonEnvironment;
  /** A short folder that only the user can enter. */
  runtimeDirectory: string;
  /** Takes what the templates write. */
  logFile: string;
  preload: string[];
  startTimeoutMs: number;
  /** Starts what cannot be forked. */
  fallback: KernelProvisioner;
  logger: Logger;
  /** @default process.env */
  environment?: NodeJS.ProcessEnv;
  /** How long a Python kernel outlives a server that was lost; absent: forever. */
  orphanTimeoutMs?: number;
  /** Holds the limits of each kernel. */
  limits?: LimitHolder;
  /** The wall around each kernel; absent: none. */
  sandbox?: Sandbox | undefined;
  /** How many kernels a template forks before another takes its place. @default 5000 */
  maxForks?: number;
  /** Called when kernels forked from now on differ from those before: a pool of them is stale. */
  onNewTemplate?: () => void;
}

/** A template leaks a little with each fork; after so many it is replaced. */
const MAX_FORKS = 5_000;

/** Each try takes seconds of work, and kernels can be had without. */
const PATIENCE = { freeFailures: 2, firstMs: 10_000, mostMs: 600_000 };

/** What Python, its libraries and the loader read only when a process starts: a fork cannot change it any more. */
const READ_AT_START =
  /^(PYTHON|LD_|DYLD_|MALLOC_|GLIBC_|OMP_|MKL_|OPENBLAS_|NUMEXPR_|BLIS_|VECLIB_|TBB_|NUMBA_|LC_|LANG$|MPLBACKEND$|MPLCONFIGDIR$|IPYTHONDIR$|CUDA_)/;

/** Forks where it can. */
export class ForkProvisioner implements KernelProvisioner {
  readonly #options: ForkProvisionerOptions;
  readonly #environment: NodeJS.ProcessEnv;
  #template: Promise<ForkServer> | undefined;
  /** Templates that live, one that is still being prepared too. */
  readonly #processes = new Set<ForkServer>();
  #packagesStamp = "";
  #spec: KernelSpec | undefined;
  /** Kernels are born where the server is. */
  readonly #countMemoryKills = memoryKillCounter("self");
  #closed = false;
  /** Templates in a row that could not be started, or died before they had forked anything; meanwhile kernels are processes of their own. */
  readonly #backoff = new Backoff(PATIENCE);

  constructor(options: ForkProvisionerOptions) {
    this.#options = options;
    this.#environment = options.environment ?? process.env;
  }

  /** Whether such a session's kernel is forked. */
  static canFork(request: Pick<KernelLaunchRequest, "kernelName" | "env">): boolean {
    return request.kernelName === OWN_KERNEL_NAME && !Object.keys(request.env).some((name) => READ_AT_START.test(name));
  }

  /** Whether kernels that were forked have the packages that a new one would have. */
  get isCurrent(): boolean {
    return this.#template === undefined || packagesStamp(this.#options.python) === this.#packagesStamp;
  }

  /** Starts the template ahead of the first request; failures show when a kernel is asked for. */
  warmUp(): void {
    this.#ensureTemplate().catch(() => undefined);
  }

  async launch(request: KernelLaunchRequest): Promise<KernelProcess> {
    if (this.#closed) throw new AppError("shutting_down");
    if (!ForkProvisioner.canFork(request) || this.#backoff.waitMs > 0) return this.#options.fallback.launch(request);
    try {
      return await this.#forkFromTemplate(request);
    } catch (error) {
      if (this.#closed) throw error;
      this.#options.logger.warn({ error }, "the kernel could not be forked; it is started as a process of its own");
      return this.#options.fallback.launch(request);
    }
  }

  get #orphanTimeout(): { orphanTimeoutMs?: number } {
    const { orphanTimeoutMs } = this.#options;
    return orphanTimeoutMs === undefined ? {} : { orphanTimeoutMs };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const template = await this.#template?.catch(() => undefined);
    template?.close();
    await template?.ended;
    await this.#options.fallback.close();
  }

  kill(isSpared: (pid: number) => boolean): void {
    for (const template of this.#processes) template.kill(isSpared);
    this.#options.fallback.kill(isSpared);
  }

  /** A template may die between being found alive and answering; then another one is asked. */
  async #forkFromTemplate(request: KernelLaunchRequest): Promise<KernelProcess> {
    const template = await this.#ensureTemplate();
    try {
      return await this.#fork(template, request);
    } catch (error) {
      if (template.alive) throw error;
      return this.#fork(await this.#ensureTemplate(), request);
    }
  }

  async #fork(template: ForkServer, request: KernelLaunchRequest): Promise<KernelProcess> {
    const spec = await this.#ownSpec();
    const id = uniqueName();
    const { sandbox, runtimeDirectory } = this.#options;
    await keepRuntimeDirectory(runtimeDirectory);
    const place = sandbox && (await makeKernelPlace(sandbox, request));
    const address = place === undefined ? ([runtimeDirectory, id] as const) : ([place.sockets, WALLED_SOCKET_NAME] as const);
    const connection = { ...createIpcConnection(...address), kernel_name: OWN_KERNEL_NAME };
    const environment = kernelEnvironment({
      server: this.#environment,
      kernelSpec: spec.env,
      session: { ...place?.environment, ...request.env },
      ...this.#orphanTimeout,
    });
    const group = await this.#options.limits?.prepare();
    try {
      const log = await openKernelLog(request.logFile);
      await log.handle.close();
      const { cwd, logFile } = request;
      const wall = place && { plan: place.plan, runtimeDirectory };
      const asked = { id, connection, cwd, environment, logFile, limits: group?.entry, wall };
      const { pid, ready, exited } = await template.fork(asked);
      const countMemoryKills = await this.#countMemoryKills;
      const known = { pid, exited, spec, connection, connectionFile: null, log, isForked: true };
      const kernel = new OwnedKernelProcess({ ...known, group, countMemoryKills });
      await preferAsVictim(pid);
      await ready;
      this.#backoff.reset();
      return kernel;
    } catch (error) {
      await group?.release();
      await removeConnectionFiles(null, connection).catch(() => undefined);
      throw new AppError("kernel_start_failed", `The kernel could not be forked: ${messageOf(error)}.`, { cause: error });
    }
  }

  /** The template to fork from: a new one where the last died, served its time, or packages have changed since. */
  async #ensureTemplate(): Promise<ForkServer> {
    const stamp = packagesStamp(this.#options.python);
    const template = this.#template;
    const current = await template?.catch(() => undefined);
    if (current?.alive === true && current.forkCount < (this.#options.maxForks ?? MAX_FORKS) && stamp === this.#packagesStamp)
      return current;
    if (this.#closed) throw new AppError("shutting_down");
    // Of several who wait here the first replaces the template, the others take what it made.
    return this.#template === template || this.#template === undefined ? this.#startTemplate(stamp, current) : this.#template;
  }

  #startTemplate(stamp: string, old: ForkServer | undefined): Promise<ForkServer> {
    const template = this.#newTemplate();
    this.#packagesStamp = stamp;
    this.#template = template;
    old?.close();
    template.then(
      (forkServer) => {
        const { pid, ended } = forkServer;
        this.#options.logger.info({ pid }, "fork server ready");
        void ended.then(() => this.#noteEnd(forkServer));
        if (old !== undefined) this.#options.onNewTemplate?.();
      },
      (error: unknown) => this.#noteFailure(messageOf(error)),
    );
    return template;
  }

  #noteEnd({ pid, hasForked, isWanted }: ForkServer): void {
    if (this.#closed || !isWanted) return;
    if (hasForked) this.#options.logger.warn({ pid }, "the fork server died; another is started when it is needed");
    else this.#noteFailure("It died before it had forked a kernel.");
  }

  #noteFailure(reason: string): void {
    if (this.#closed) return;
    this.#backoff.noteFailure();
    const { failures, waitMs: nextTryMs } = this.#backoff;
    const consequence = nextTryMs === 0 ? "" : "; until the next try kernels are started as processes of their own";
    this.#options.logger.warn({ reason, failures, nextTryMs }, `the fork server failed${consequence}`);
  }

  async #newTemplate(): Promise<ForkServer> {
    const { python, preload, logFile, startTimeoutMs } = this.#options;
    const spec = await this.#ownSpec();
    const environment = kernelEnvironment({ server: this.#environment, kernelSpec: spec.env });
    const onSpawn = (server: ForkServer): void => {
      this.#processes.add(server);
      void server.ended.then(() => this.#processes.delete(server));
    };
    return ForkServer.start({ interpreter: python.interpreter, environment, preload, logFile, startTimeoutMs, onSpawn });
  }

  async #ownSpec(): Promise<KernelSpec> {
    this.#spec ??= await findKernelSpec(OWN_KERNEL_NAME, { python: this.#options.python, environment: this.#environment });
    return this.#spec;
  }
}

/** Changes when a package is installed or removed: the folder's time does. */
function packagesStamp(python: PythonEnvironment): string {
  const { version, prefix } = python;
  const folders = [`${prefix}/lib/python${version[0]}.${version[1]}/site-packages`, `${prefix}/lib/python3/dist-packages`];
  return folders.map((folder) => statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0).join(" ");
}
