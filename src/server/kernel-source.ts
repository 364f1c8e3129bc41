/** Where a server's kernels come from: forked and pooled where that is safe, else each a process of its own. */
import { join } from "node:path";
import type { Logger } from "pino";
import type { ServerSettings } from "../config.ts";
import type { ConnectionInfo } from "../kernel/connection.ts";
import { ZeromqTransport } from "../kernel/zeromq-transport.ts";
import { ForkProvisioner } from "../provision/fork-provisioner.ts";
import { OWN_KERNEL_NAME } from "../provision/kernelspecs.ts";
import type { LimitHolder } from "../provision/limits/limits.ts";
import type { KernelProvisioner } from "../provision/provisioner.ts";
import type { PythonEnvironment } from "../provision/python-environment.ts";
import type { Sandbox } from "../provision/sandbox/sandbox.ts";
import { SubprocessProvisioner } from "../provision/subprocess-provisioner.ts";
import type { KernelRecord } from "../session/journal/session-record.ts";
import { reconnectKernel } from "../session/kernel-adoption.ts";
import { KernelPool } from "../session/kernel-pool.ts";
import { createKernelStarter, type FoundKernel, type KernelStarter } from "../session/live-kernel.ts";
import { createWaitingPlaces } from "../session/waiting-places.ts";
import { FORK_SERVER_LOG, KERNEL_POOL_LOG } from "./kernel-log-files.ts";

/** Starts kernels, and takes back those that an earlier server started. */
export interface KernelSource {
  start: KernelStarter;
  kill: KernelProvisioner["kill"];
  reconnect: (record: KernelRecord) => Promise<FoundKernel>;
  pool?: KernelPool;
  close(): Promise<void>;
}

/** What kernels are started with, beside the settings. */
export interface KernelSurroundings {
  python: PythonEnvironment;
  runtimeDirectory: string;
  limits: LimitHolder;
  sandbox: Sandbox | undefined;
  logger: Logger;
}

/** By one name for all servers, so that what a kernel answers to a server that was lost reaches the one that takes its place. */
const ROUTING_ID = "taskweaver-server";

/** Text comes in messages of 256 KiB at most; displays and what threads send to widgets may be of any size, so that few of them are much. */
const MOST_WAITING_OUTPUTS = 8;

/** Makes it; with a pool its first kernels are on their way. */
export function openKernelSource(settings: ServerSettings, surroundings: KernelSurroundings): KernelSource {
  const { python, runtimeDirectory, limits, sandbox, logger } = surroundings;
  const { orphanTimeoutMs } = settings;
  const spawned = new SubprocessProvisioner({ python, runtimeDirectory, orphanTimeoutMs, limits, sandbox });
  const starterOptions = {
    connect,
    startTimeoutMs: settings.kernelStartTimeoutMs,
  };
  // On macOS the system's own libraries do not survive a fork; Windows has none.
  const canFork = settings.kernelStart === "fork" || (settings.kernelStart === "auto" && process.platform === "linux");
  const reconnect = (record: KernelRecord): Promise<FoundKernel> => reconnectKernel(record, starterOptions, limits);
  if (!canFork) {
    const start = createKernelStarter({ ...starterOptions, provisioner: spawned });
    return { start, reconnect, kill: (isSpared) => spawned.kill(isSpared), close: () => spawned.close() };
  }
  const provisioner = new ForkProvisioner({
    python,
    runtimeDirectory,
    logFile: join(settings.workDir, FORK_SERVER_LOG),
    preload: settings.preload,
    startTimeoutMs: settings.kernelStartTimeoutMs,
    fallback: spawned,
    orphanTimeoutMs,
    limits,
    sandbox,
    logger,
    onNewTemplate: () => pool.renew(),
  });
  const pool = new KernelPool({
    start: createKernelStarter({ ...starterOptions, provisioner }),
    suits: (request) => ForkProvisioner.canFork(request),
    isCurrent: () => provisioner.isCurrent,
    blank: {
      kernelName: OWN_KERNEL_NAME,
      sessionId: "",
      cwd: runtimeDirectory,
      env: {},
      logFile: join(settings.workDir, KERNEL_POOL_LOG),
    },
    places: sandbox && createWaitingPlaces(settings.workDir, OWN_KERNEL_NAME),
    maxSize: settings.kernelPool,
    logger,
  });
  pool.fill();
  const close = async (): Promise<void> => {
    await pool.close();
    await provisioner.close();
  };
  return { start: pool.acquire, reconnect, pool, kill: (isSpared) => provisioner.kill(isSpared), close };
}

/** Our own kernel drops nothing, so that what it has said and nobody has read yet can wait in its own memory and not in this process'. */
export function connect(connection: ConnectionInfo): ZeromqTransport {
  const isOurs = connection.kernel_name === OWN_KERNEL_NAME;
  return new ZeromqTransport(connection, { routingId: ROUTING_ID, ...(isOurs ? { mostWaitingOutputs: MOST_WAITING_OUTPUTS } : {}) });
}
