/** Wires a gateway: settings in, one listening address before many executors out. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { ExecutionClient } from "./client/index.ts";
import type { GatewaySettings } from "./config.ts";
import { messageOf, UsageError } from "./errors.ts";
import { Gateway } from "./gateway/index.ts";
import { Certificate } from "./http/certificate.ts";
import { registerConsole } from "./http/console.ts";
import { registerDocs } from "./http/docs.ts";
import { openDoors } from "./http/doors.ts";
import { kernelIdOf } from "./http/jupyter/kernel-id.ts";
import { whyInsideContainer } from "./http/inside-container.ts";
import { isLoopbackBind, listen } from "./http/listen.ts";
import { madeKey } from "./http/made-key.ts";
import { mcpRoute } from "./http/mcp.ts";
import { collectMethods } from "./http/methods.ts";
import { ownAddress } from "./http/own-address.ts";
import { createLogger } from "./logger.ts";
import { McpEndpoint } from "./mcp/index.ts";
import { VERSION } from "./paths.ts";
import { makeFolders } from "./session/folders.ts";

/** What a caller may want to replace. */
export interface GatewayHooks {
  /** By default one as the settings say. */
  logger?: Logger;
}

/** A listening gateway. */
export interface RunningGateway {
  /** What to call, e.g. `http://localhost:8000`. */
  readonly url: string;
  /** The key in force; null where none is needed. */
  readonly apiKey: string | null;
  /** The file of a key that the gateway made; null where it made none. */
  readonly apiKeyFile: string | null;
  /** Takes no more requests, lets answers out for as long as the settings say, ends. The sessions stay. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a gateway.
 * @throws UsageError with one sentence where the settings do not allow it.
 */
export async function startGateway(settings: GatewaySettings, hooks: GatewayHooks = {}): Promise<RunningGateway> {
  const logger = hooks.logger ?? createLogger({ level: settings.logLevel, format: settings.logFormat });
  const ca = settings.executorCa === null ? undefined : await readAuthorities(settings.executorCa);
  const gateway = new Gateway({ ...settings, ...(ca === undefined ? {} : { ca }), version: VERSION, kernelIdOf, logger });
  const certificate = settings.tls === null ? undefined : await Certificate.open(settings.tls, logger);
  const target = { host: settings.host, port: settings.port, socketPath: null, certificate };
  const container = await whyInsideContainer();
  if (container !== undefined) logger.info(`inside a container (${container}) the API key is always asked for`);
  const requireKey = settings.requireKey || container !== undefined;
  const made = settings.apiKey !== null || (isLoopbackBind(target) && !requireKey) ? undefined : await makeKey(settings.workDir);
  const apiKey = made?.key ?? settings.apiKey;
  // The tools of the Model Context Protocol go through the gateway's own door: their sessions are placed like all others.
  const mcp = new McpEndpoint(async () => new ExecutionClient({ ...ownAddress(listener.url), apiKey: apiKey ?? undefined }), {
    maxBodyBytes: settings.maxBodyBytes,
    onFault: (error) => logger.debug({ error }, "a request of the Model Context Protocol failed"),
  });
  const app = await openDoors({ settings: { ...settings, requireKey, apiKey, onUnixSocket: false }, logger, certificate });
  const refuseOtherMethods = collectMethods(app);
  registerDocs(app);
  await registerConsole(app);
  mcpRoute(app, (request) => mcp.handle(request));
  gateway.register(app);
  refuseOtherMethods();
  await gateway.start();
  const listener = await listen(app, target).catch(async (error: unknown) => {
    await gateway.close();
    throw error;
  });
  const { url } = listener;
  logger.info({ url, executors: settings.executors }, "listening");

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    gateway.setEnding();
    await mcp.close();
    await listener.close(settings.shutdownGraceMs);
    await gateway.close();
    logger.info("stopped");
  };
  return { url, apiKey, apiKeyFile: made?.file ?? null, close: () => (closing ??= close()) };
}

async function makeKey(workDir: string): Promise<{ key: string; file: string }> {
  await makeFolders(workDir, 0o755);
  return madeKey(workDir);
}

async function readAuthorities(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new UsageError(`${path} (executor_ca) cannot be read: ${messageOf(error)}.`, { cause: error });
  });
  try {
    void new X509Certificate(text);
    return text;
  } catch (error) {
    throw new UsageError(`${path} (executor_ca) is no certificate in PEM.`, { cause: error });
  }
}
