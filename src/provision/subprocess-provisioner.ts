/** Starts each kernel as a process of its own: any kernelspec, on any platform. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { AppError, messageOf } from "../errors.ts";
import { createIpcConnection, type ConnectionInfo } from "../kernel/connection.ts";
import { removeConnectionFiles, writeConnectionFile } from "./connection-file.ts";
import { kernelEnvironment } from "./kernel-environment.ts";
import { findKernelSpec, type KernelSpec } from "./kernelspecs.ts";
import { OwnedKernelProcess } from "./kernel-process.ts";
import { LIMITS_SCRIPT } from "./limits/choose.ts";
import type { LimitEntry, LimitGroup, LimitHolder } from "./limits/limits.ts";
import { memoryKillCounter } from "./limits/memory-kills.ts";
import { openKernelLog, type KernelLog } from "./log-tail.ts";
import { preferAsVictim } from "./out-of-memory.ts";
import type { KernelExit, KernelLaunchRequest, KernelProcess, KernelProvisioner } from "./provisioner.ts";
import type { PythonEnvironment } from "./python-environment.ts";
import { keepRuntimeDirectory, uniqueName } from "./runtime-directory.ts";
import { makeKernelPlace, WALLED_SOCKET_NAME, type KernelPlace } from "./sandbox/kernel-place.ts";
import { killNow } from "./at-once.ts";
import { SANDBOX_PROGRAM, type Sandbox } from "./sandbox/sandbox.ts";
import { createTcpConnection } from "./tcp-connection.ts";

/** What a provisioner needs. */
export interface SubprocessProvisionerOptions {
  python: PythonEnvironment;
  /** A short folder that only the user can enter; see `openRuntimeDirectory`. */
  runtimeDirectory: string;
  /** The environment that kernels inherit without our settings. @default process.env */
  environment?: NodeJS.ProcessEnv;
  /** Holds the limits of each kernel. */
  limits?: LimitHolder;
  /** How long a Python kernel outlives a server that was lost; absent: forever. */
  orphanTimeoutMs?: number;
  /** The wall around each kernel; absent: none. */
  sandbox?: Sandbox | undefined;
  /** `auto`: Unix sockets where the platform and the kernel have them. @default "auto" */
  transport?: "auto" | "ipc" | "tcp";
}

/** Starts kernels as subprocesses. */
export class SubprocessProvisioner implements KernelProvisioner {
  readonly #options: SubprocessProvisionerOptions;
  readonly #environment: NodeJS.ProcessEnv;
  /** Kernels are born where the server is. */
  readonly #countMemoryKills = memoryKillCounter("self");
  /** Kernels that live. */
  readonly #children = new Set<ChildProcess>();
  #closed = false;

  constructor(options: SubprocessProvisionerOptions) {
    this.#options = options;
    this.#environment = options.environment ?? process.env;
  }

  async launch(request: KernelLaunchRequest): Promise<KernelProcess> {
    const spec = await findKernelSpec(request.kernelName, { python: this.#options.python, environment: this.#environment });
    const { sandbox, runtimeDirectory } = this.#options;
    await keepRuntimeDirectory(runtimeDirectory);
    const place = sandbox && (await makeKernelPlace(sandbox, request));
    const name = place === undefined ? uniqueName() : WALLED_SOCKET_NAME;
    const folder = place?.sockets ?? runtimeDirectory;
    const file = join(folder, `${name}.json`);
    const connection = { ...(await this.#createConnection(folder, name, spec)), kernel_name: spec.name };
    const log = await openKernelLog(request.logFile).catch((error: unknown) => {
      throw new AppError("kernel_start_failed", `The kernel's log file cannot be written: ${messageOf(error)}`, { cause: error });
    });
    let group: LimitGroup | undefined;
    try {
      group = await this.#options.limits?.prepare();
      await writeConnectionFile(file, connection);
      if (this.#closed) throw new AppError("shutting_down");
      const child = await this.#spawn(
        limited(walled(spec, this.#options.python, place), this.#options.python, group?.entry),
        file,
        request,
        log,
        place,
      );
      const known = { pid: child.pid ?? 0, exited: exitOf(child), spec, connection, connectionFile: file, log };
      return new OwnedKernelProcess({ ...known, group, countMemoryKills: await this.#countMemoryKills });
    } catch (error) {
      await group?.release();
      await removeConnectionFiles(file, connection);
      throw error;
    } finally {
      await log.handle.close();
    }
  }

  get #orphanTimeout(): { orphanTimeoutMs?: number } {
    const { orphanTimeoutMs } = this.#options;
    return orphanTimeoutMs === undefined ? {} : { orphanTimeoutMs };
  }

  close(): Promise<void> {
    this.#closed = true;
    // Kernels that are left to the next server must not keep this one's process from ending.
    for (const child of this.#children) child.unref();
    return Promise.resolve();
  }

  kill(isSpared: (pid: number) => boolean): void {
    for (const { pid } of this.#children) if (pid !== undefined && !isSpared(pid)) killNow(pid);
  }

  async #createConnection(folder: string, name: string, spec: KernelSpec): Promise<ConnectionInfo> {
    const wanted = this.#options.transport ?? "auto";
    const transport = wanted === "auto" ? spec.transport : wanted;
    if (transport === "tcp" || process.platform === "win32") return createTcpConnection();
    return createIpcConnection(folder, name);
  }

  async #spawn(
    spec: KernelSpec,
    connectionFile: string,
    request: KernelLaunchRequest,
    log: KernelLog,
    place: KernelPlace | undefined,
  ): Promise<ChildProcess> {
    const [program = "", ...args] = spec.argv.map((argument) => argument.replaceAll("{connection_file}", connectionFile));
    const session = { ...place?.environment, ...request.env };
    const child = spawn(program, args, {
      cwd: request.cwd,
      env: kernelEnvironment({ server: this.#environment, kernelSpec: spec.env, session, ...this.#orphanTimeout }),
      stdio: ["ignore", log.handle.fd, log.handle.fd],
      // A group of its own: Ctrl-C in the server's terminal does not reach it, and all that it starts can be ended with it.
      detached: true,
      windowsHide: true,
    });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    try {
      await once(child, "spawn");
      void preferAsVictim(child.pid ?? 0);
      return child;
    } catch (error) {
      this.#children.delete(child);
      throw await spawnFailure(error, program, request);
    }
  }
}

/** The kernel's command behind one that puts it under its limits first, so that nothing it starts escapes them. */
function limited(spec: KernelSpec, python: PythonEnvironment, entry: LimitEntry | undefined): KernelSpec {
  if (entry === undefined) return spec;
  return { ...spec, argv: [python.interpreter, "-I", "-S", LIMITS_SCRIPT, JSON.stringify(entry), ...spec.argv] };
}

/** The kernel's command behind one that raises the wall around it. */
function walled(spec: KernelSpec, python: PythonEnvironment, place: KernelPlace | undefined): KernelSpec {
  if (place === undefined) return spec;
  return { ...spec, argv: [python.interpreter, SANDBOX_PROGRAM, JSON.stringify(place.plan), ...spec.argv] };
}

/** `ENOENT` names the program even where it is the working directory that is missing. */
async function spawnFailure(error: unknown, program: string, request: KernelLaunchRequest): Promise<AppError> {
  const hasDirectory = await access(request.cwd).then(
    () => true,
    () => false,
  );
  const reason = hasDirectory ? `"${program}" did not start: ${messageOf(error)}` : `its directory ${request.cwd} is gone`;
  return new AppError("kernel_start_failed", `The kernel "${request.kernelName}" could not be started: ${reason}.`, { cause: error });
}

/** How the child ends; never rejects. */
function exitOf(child: ChildProcess): Promise<KernelExit> {
  return new Promise((resolve) => {
    child.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
  });
}
