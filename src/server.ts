/** The composition root, the only file that wires: settings in, a listening server out. */
import { randomUUID } from "node:crypto";
import { access, constants, realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { ExecutionClient } from "./client/index.ts";
import type { ServerSettings } from "./config.ts";
import { messageOf, UsageError } from "./errors.ts";
import { buildApp } from "./http/app.ts";
import { Certificate } from "./http/certificate.ts";
import { whyInsideContainer } from "./http/inside-container.ts";
import { checkPortFree, isLoopbackBind, listen, type Listener } from "./http/listen.ts";
import { madeKey } from "./http/made-key.ts";
import { Metrics } from "./http/metrics.ts";
import { openTraces } from "./http/traces.ts";
import { ownAddress } from "./http/own-address.ts";
import type { ConnectionInfo } from "./kernel/connection.ts";
import { ZeromqTransport } from "./kernel/zeromq-transport.ts";
import { unixFetch } from "./launcher/unix-fetch.ts";
import { createLogger } from "./logger.ts";
import { McpEndpoint } from "./mcp/index.ts";
import { PACKAGE_ROOT, PYTHON_ROOT, VERSION } from "./paths.ts";
import { ForkProvisioner } from "./provision/fork-provisioner.ts";
import { listKernelSpecs, OWN_KERNEL_NAME } from "./provision/kernelspecs.ts";
import { preparePython, type PythonEnvironment } from "./provision/python-environment.ts";
import { chooseLimitHolder } from "./provision/limits/choose.ts";
import { asksForLimits, type LimitHolder } from "./provision/limits/limits.ts";
import type { KernelProvisioner } from "./provision/provisioner.ts";
import { openRuntimeDirectory, sweep } from "./provision/runtime-directory.ts";
import { chooseSandbox, isOutside, type Sandbox, type SandboxAbility, type SandboxWish } from "./provision/sandbox/sandbox.ts";
import { SubprocessProvisioner } from "./provision/subprocess-provisioner.ts";
import { DiskWatch } from "./session/disk-watch.ts";
import { makeFolders } from "./session/folders.ts";
import { KernelLogs } from "./session/kernel-logs.ts";
import { KernelPool } from "./session/kernel-pool.ts";
import type { KernelRecord } from "./session/journal/session-record.ts";
import { claimWorkDirectory } from "./session/journal/work-directory-claim.ts";
import { reconnectKernel } from "./session/kernel-adoption.ts";
import { createKernelStarter, type FoundKernel, type KernelStarter } from "./session/live-kernel.ts";
import { allOf } from "./session/session-observer.ts";
import { SessionStore } from "./session/session-store.ts";
import { kernelLogOf } from "./session/workspace.ts";
import { createWaitingPlaces, sweepWaitingPlaces } from "./session/waiting-places.ts";
import { Usage } from "./session/usage.ts";

/** What a caller may want to hear or replace. */
export interface ServerHooks {
  /** Told line by line what takes long at the start. */
  onProgress?: (line: string) => void;
  /** By default one as the settings say. */
  logger?: Logger;
  /** Tells which walls the machine can raise around kernels; by default it tries them. */
  sandboxAbility?: (interpreter: string) => Promise<SandboxAbility>;
  /** Called once when nobody uses the server any more, where the settings say that it then should end. */
  onUnused?: () => void;
}

/** A listening server. */
export interface RunningServer {
  /** What to call, e.g. `http://localhost:8000`; `unix:PATH` on a socket. */
  readonly url: string;
  /** The key in force; null where none is needed. */
  readonly apiKey: string | null;
  /** The file of a key that the server made; null where it made none. */
  readonly apiKeyFile: string | null;
  /** Drains, ends all kernels, stops listening. Idempotent. */
  close(): Promise<void>;
}

interface KernelSource {
  start: KernelStarter;
  kill: KernelProvisioner["kill"];
  reconnect: (record: KernelRecord) => Promise<FoundKernel>;
  pool?: KernelPool;
  close(): Promise<void>;
}

/** By one name for all servers, so that what a kernel answers to a server that was lost reaches the one that takes its place. */
const ROUTING_ID = "taskweaver-server";

/** A message of our kernel's holds 256 KiB of text at most. */
const MOST_WAITING_OUTPUTS = 64;

const FORK_SERVER_LOG = "fork-server.log";
const KERNEL_POOL_LOG = "kernel-pool.log";
const HEARTBEAT_MS = 15_000;

/** At the end, what clients have to take their last answers. */
const ANSWERS_MS = 2_000;

/**
 * Starts a server.
 * @throws UsageError with one sentence where the machine or the settings do not allow it.
 */
export async function startServer(wanted: ServerSettings, hooks: ServerHooks = {}): Promise<RunningServer> {
  const logger = hooks.logger ?? createLogger({ level: wanted.logLevel, format: wanted.logFormat });
  await prepareWorkDirectory(wanted.workDir);
  // Behind a wall symlinks that lead there are not to be seen.
  const settings = wanted.sandbox === "none" ? wanted : { ...wanted, workDir: await realpath(wanted.workDir) };
  await checkPortFree(settings);
  const certificate = await openCertificate(settings, logger);
  const python = await preparePython({
    ...(settings.python === null ? {} : { python: settings.python }),
    ...(hooks.onProgress === undefined ? {} : { onProgress: hooks.onProgress }),
  });
  const runtimeDirectory = await realpath(await openRuntimeDirectory());
  const onUnable = (reasons: string): void =>
    logger.warn({ reasons }, "this machine cannot wall kernels off: they have all rights of the server's user");
  const sandbox = await sandboxOf(settings, python, { runtimeDirectory, onUnable }, hooks.sandboxAbility);
  if (sandbox !== undefined) logger.info({ level: sandbox.level, network: sandbox.network }, "kernels are walled off");
  const container = await whyInsideContainer();
  if (container !== undefined) logger.info(`inside a container (${container}) the API key is always asked for`);
  // To the system a kernel behind a wall that calls looks like any other program of the user's.
  const requireKey = settings.requireKey || sandbox !== undefined || container !== undefined;
  const made = await makeKeyWhereNeeded(settings, requireKey);
  const apiKey = made?.key ?? settings.apiKey;
  const claim = await claimWorkDirectory(settings.workDir);
  if (claim === undefined)
    logger.warn({ workDir: settings.workDir }, "another server uses this work directory: sessions here will not outlive this server");
  else await sweepWaitingPlaces(settings.workDir);
  const limits = await chooseLimitHolder({
    limits: { memoryBytes: settings.sessionMemoryBytes, processes: settings.sessionProcesses },
    workDirectory: settings.workDir,
    isClaimed: claim !== undefined,
    interpreter: python.interpreter,
    onUnheld: (pid, error) => logger.warn({ pid, error }, "a kernel of an earlier server cannot be held to the limits of sessions"),
  }).catch(async (error: unknown) => {
    await claim?.release();
    throw error;
  });
  if (asksForLimits(limits.limits)) logger.info({ ...limits.limits, heldBy: limits.name }, "limits of sessions");
  const kernels = wireKernels(settings, python, runtimeDirectory, { limits, sandbox }, logger);
  // A process that ends without a wait, as by a second signal, leaves no kernel but those that the next server finds.
  let leftKernels = (): Set<number> => sessions.kernelPids();
  const killKernels = (): void => {
    const left = leftKernels();
    kernels.kill((pid) => left.has(pid));
  };
  process.once("exit", killKernels);
  const metrics = new Metrics();
  const traces = await openTraces({ environment: process.env, version: VERSION, onFault: (sentence) => logger.warn(sentence) });
  const sessions = new SessionStore({
    ...settings,
    workDirectory: settings.workDir,
    output: {
      maxOutputBytes: settings.maxOutputBytes,
      maxSpilledBytes: settings.maxOutputFileBytes,
      maxDisplayBytes: settings.maxDisplayBytes,
    },
    startKernel: kernels.start,
    mayUse: (cwd) => sandbox === undefined || isOutside(sandbox, cwd),
    observer: traces === undefined ? metrics : allOf([metrics, traces]),
    ...(claim === undefined ? {} : { reconnect: kernels.reconnect }),
    logger,
  });
  metrics.watch(sessions, kernels.pool);
  const disk = watchDisk(settings, sessions, logger);
  const kernelLogs = watchKernelLogs(settings, sessions, logger);
  const usage = new Usage();
  const mcp = new McpEndpoint(async () => clientOfOurselves(listener.url, settings, apiKey), {
    maxBodyBytes: settings.maxBodyBytes,
    onFault: (error) => logger.debug({ error }, "a request of the Model Context Protocol failed"),
  });
  let isStarting = true;
  const open = async (): Promise<Listener> => {
    const app = await buildApp(
      {
        settings: {
          ...settings,
          requireKey,
          apiKey,
          version: VERSION,
          instance: randomUUID(),
          onUnixSocket: settings.socketPath !== null,
          heartbeatMs: HEARTBEAT_MS,
        },
        sessions,
        isStarting: () => isStarting,
        ...(disk === undefined ? {} : { disk }),
        usage,
        metrics,
        ...(traces === undefined ? {} : { traces }),
        kernelSpecs: () => listKernelSpecs({ python }),
        mcp: (request) => mcp.handle(request),
        logger,
      },
      certificate,
    );
    return listen(app, { ...settings, certificate });
  };
  /** Whoever asks meanwhile is told that the server is starting, not that there is none. */
  const takeBack = async (): Promise<void> => {
    const recovered = claim === undefined ? 0 : await sessions.recover();
    await limits.sweep();
    if (recovered > 0) logger.info({ sessions: recovered }, "sessions of an earlier server are back");
    isStarting = false;
  };
  // A start that fails leaves no process behind; sessions that were taken back are the next server's.
  const giveUp = async (error: unknown): Promise<never> => {
    await disk?.close();
    await kernelLogs.close();
    await sessions.release();
    await kernels.close();
    process.off("exit", killKernels);
    await limits.close();
    await traces?.close();
    await claim?.release();
    throw error;
  };
  const listener = await open().catch(giveUp);
  await takeBack().catch(async (error: unknown) => {
    await listener.close(0);
    return giveUp(error);
  });
  const { url } = listener;
  logger.info({ url, workDir: settings.workDir, python: python.interpreter }, "listening");

  const unusedWatch = settings.exitWhenUnused ? watchUnused(usage, sessions, settings.unusedGraceMs, hooks.onUnused) : undefined;

  const killSessions = (): void => sessions.killKernels();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    clearInterval(unusedWatch);
    usage.close();
    const isKept = settings.keepSessions && claim !== undefined;
    const left = isKept ? sessions.kernelPids() : new Set<number>();
    leftKernels = () => left;
    if (!isKept) process.once("exit", killSessions);
    if (!isKept && settings.drainTimeoutMs > 0) await sessions.emptied(settings.drainTimeoutMs);
    await disk?.close();
    await kernelLogs.close();
    sessions.refuseNewWork();
    if (isKept) {
      await sessions.release();
    } else {
      await sessions.drained(settings.shutdownGraceMs);
      await sessions.close();
    }
    await mcp.close();
    await listener.close(ANSWERS_MS);
    await traces?.close();
    await kernels.close();
    await limits.close();
    // Of kernels that were killed while they belonged to nobody.
    await sweep(runtimeDirectory, 0);
    await claim?.release();
    process.off("exit", killKernels).off("exit", killSessions);
    logger.info("stopped");
  };
  return { url, apiKey, apiKeyFile: made?.file ?? null, close: () => (closing ??= close()) };
}

/** For what speaks to the server from within: it goes through the same doors as every other client. */
function clientOfOurselves(url: string, { socketPath }: ServerSettings, apiKey: string | null): ExecutionClient {
  const options = { apiKey: apiKey ?? undefined };
  if (socketPath !== null) return new ExecutionClient({ ...options, fetch: unixFetch(socketPath) });
  return new ExecutionClient({ ...options, ...ownAddress(url) });
}

async function openCertificate({ tls, socketPath }: ServerSettings, logger: Logger): Promise<Certificate | undefined> {
  if (tls === null) return undefined;
  if (socketPath === null) return Certificate.open(tls, logger);
  throw new UsageError(
    "A Unix socket has no certificate, its file says who may connect: leave out socket, or tls_certificate and tls_key.",
  );
}

/** Our own kernel drops nothing, so that what it has said and nobody has read yet can wait in its own memory and not in this process'. */
function connect(connection: ConnectionInfo): ZeromqTransport {
  const isOurs = connection.kernel_name === OWN_KERNEL_NAME;
  return new ZeromqTransport(connection, { routingId: ROUTING_ID, ...(isOurs ? { mostWaitingOutputs: MOST_WAITING_OUTPUTS } : {}) });
}

/** Where kernels come from: forked and pooled where that is safe, else each a process of its own. */
function wireKernels(
  settings: ServerSettings,
  python: PythonEnvironment,
  runtimeDirectory: string,
  { limits, sandbox }: { limits: LimitHolder; sandbox: Sandbox | undefined },
  logger: Logger,
): KernelSource {
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

function watchDisk({ sessionDiskBytes: limitBytes }: ServerSettings, sessions: SessionStore, logger: Logger): DiskWatch | undefined {
  if (limitBytes === null) return undefined;
  const watch = new DiskWatch({ limitBytes, sessions: () => sessions.list(), logger });
  watch.start();
  return watch;
}

function watchKernelLogs({ maxKernelLogBytes, workDir }: ServerSettings, sessions: SessionStore, logger: Logger): KernelLogs {
  const shared = [FORK_SERVER_LOG, KERNEL_POOL_LOG].map((name) => join(workDir, name));
  const files = (which: "all" | "busy"): string[] => {
    const looked = sessions.list().filter((session) => which === "all" || session.busy);
    return [...shared, ...looked.map(({ workspace }) => kernelLogOf(workspace))];
  };
  const logs = new KernelLogs({ files, maxBytes: maxKernelLogBytes, logger });
  logs.start();
  return logs;
}

async function prepareWorkDirectory(workDir: string): Promise<void> {
  try {
    // Who could rename what lies in it could give the server another key, and other sessions; a lax umask does not change that.
    await makeFolders(join(workDir, "sessions"), 0o755);
    await access(join(workDir, "sessions"), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(`The work directory ${workDir} is not writable (${messageOf(error)}). Choose another with --work-dir.`, {
      cause: error,
    });
  }
}

function sandboxOf(
  settings: ServerSettings,
  { interpreter, prefix }: PythonEnvironment,
  rest: Pick<SandboxWish, "runtimeDirectory" | "onUnable">,
  ask: ServerHooks["sandboxAbility"],
): Promise<Sandbox | undefined> {
  const { sandbox, sandboxNetwork: network, sandboxRead: readable, workDir: workDirectory } = settings;
  const programs = [prefix, PYTHON_ROOT, import.meta.dirname, join(PACKAGE_ROOT, "node_modules")];
  return chooseSandbox({ sandbox, network, readable, workDirectory, programs, interpreter, ...rest }, ask);
}

/** A server that others can reach has a key, and so has one that asks even local clients for it. */
async function makeKeyWhereNeeded(settings: ServerSettings, requireKey: boolean): Promise<{ key: string; file: string } | undefined> {
  if (settings.apiKey !== null || (isLoopbackBind(settings) && !requireKey)) return undefined;
  return madeKey(settings.workDir);
}

/** Looks now and then whether the server that a client started is still used by any. */
function watchUnused(usage: Usage, sessions: SessionStore, graceMs: number, onUnused: (() => void) | undefined): NodeJS.Timeout {
  const timer = setInterval(
    () => {
      if (sessions.busyCount > 0 || !usage.isUnusedFor(graceMs)) return;
      clearInterval(timer);
      onUnused?.();
    },
    Math.min(1000, graceMs),
  );
  return timer;
}
