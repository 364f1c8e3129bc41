/** The composition root: settings in, a listening server out. With the parts in `server/` the only place that wires. */
import { randomUUID } from "node:crypto";
import { realpath } from "node:fs/promises";
import type { Logger } from "pino";
import { ExecutionClient } from "./client/index.ts";
import type { ServerSettings } from "./config.ts";
import { buildApp } from "./http/app.ts";
import { endsWithContainer, whyInsideContainer } from "./http/inside-container.ts";
import { checkPortFree, listen, type Listener } from "./http/listen.ts";
import { Metrics } from "./http/metrics.ts";
import { ownAddress } from "./http/own-address.ts";
import { openTraces } from "./http/traces.ts";
import { unixFetch } from "./launcher/unix-fetch.ts";
import { createLogger } from "./logger.ts";
import { McpEndpoint } from "./mcp/index.ts";
import { VERSION } from "./paths.ts";
import { listKernelSpecs } from "./provision/kernelspecs.ts";
import { chooseLimitHolder } from "./provision/limits/choose.ts";
import { asksForLimits } from "./provision/limits/limits.ts";
import { preparePython } from "./provision/python-environment.ts";
import { openRuntimeDirectory, sweep } from "./provision/runtime-directory.ts";
import { isOutside, type SandboxAbility } from "./provision/sandbox/sandbox.ts";
import { openKernelSource } from "./server/kernel-source.ts";
import { makeKeyWhereNeeded, openCertificate, prepareWorkDirectory, sandboxOf } from "./server/preparation.ts";
import { watchDisk, watchKernelLogs, watchUnused } from "./server/watches.ts";
import { claimWorkDirectory } from "./session/journal/work-directory-claim.ts";
import { allOf } from "./session/session-observer.ts";
import { SessionStore } from "./session/session-store.ts";
import { Usage } from "./session/usage.ts";
import { sweepWaitingPlaces } from "./session/waiting-places.ts";

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
  const kernels = openKernelSource(settings, { python, runtimeDirectory, limits, sandbox, logger });
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
    mayUse: (cwd) => (sandbox === undefined || isOutside(sandbox, cwd)) && (container === undefined || !endsWithContainer(cwd)),
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
  /** @param isKept Sessions are the next server's; what their kernels wrote last, too. */
  const end = async (isKept: boolean, listener?: Listener): Promise<void> => {
    usage.close();
    await disk?.close();
    await kernelLogs.close();
    sessions.refuseNewWork();
    if (!isKept) await sessions.drained(settings.shutdownGraceMs);
    await (isKept ? sessions.release() : sessions.close());
    await mcp.close();
    await listener?.close(isStarting ? 0 : ANSWERS_MS);
    await traces?.close();
    await kernels.close();
    await limits.close();
    // Of kernels that were killed while they belonged to nobody.
    await (isKept ? sweep(runtimeDirectory) : sweep(runtimeDirectory, 0));
    await claim?.release();
    process.off("exit", killKernels);
  };
  // A start that fails leaves no process behind; sessions that were taken back are the next server's.
  const giveUp = async (error: unknown, opened?: Listener): Promise<never> => {
    await end(true, opened);
    throw error;
  };
  const listener = await open().catch((error: unknown) => giveUp(error));
  await takeBack().catch((error: unknown) => giveUp(error, listener));
  const { url } = listener;
  logger.info({ url, workDir: settings.workDir, python: python.interpreter }, "listening");

  const unusedWatch = settings.exitWhenUnused ? watchUnused(usage, sessions, settings.unusedGraceMs, hooks.onUnused) : undefined;

  const killSessions = (): void => sessions.killKernels();
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    clearInterval(unusedWatch);
    const isKept = settings.keepSessions && claim !== undefined;
    const left = isKept ? sessions.kernelPids() : new Set<number>();
    leftKernels = () => left;
    if (!isKept) process.once("exit", killSessions);
    if (!isKept && settings.drainTimeoutMs > 0) await sessions.emptied(settings.drainTimeoutMs);
    await end(isKept, listener);
    process.off("exit", killSessions);
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
