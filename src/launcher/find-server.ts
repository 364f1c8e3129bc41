/** Looks for a server that runs already, and says in one sentence why there is none to use. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isFault, type ConnectionOptions, type ExecutionClient, type Health } from "../client/index.ts";
import { isLoopbackHost, type ClientSettings } from "../config.ts";
import { UsageError } from "../errors.ts";
import { knownContainerKey } from "./container-key.ts";
import { foreignListener, probe, REMOTE_TIMEOUT_MS } from "./probe.ts";
import { unixFetch } from "./unix-fetch.ts";

/** A server that answers, and takes the key. */
export interface FoundServer {
  kind: "ready";
  client: ExecutionClient;
  health: Health;
}

/** Why there is none. */
export interface NoServer {
  /** `nobody`: the address is free; `taken`: something there cannot be used. */
  kind: "nobody" | "taken";
  error: Error;
}

/** How to reach the server of the settings. */
export function connectionOptions(settings: ClientSettings): ConnectionOptions {
  return {
    url: settings.url,
    apiKey: settings.apiKey ?? undefined,
    timeoutMs: settings.timeoutMs,
    fetch: settings.socketPath === null ? undefined : unixFetch(settings.socketPath),
  };
}

/** Looks once. */
export async function findServer(settings: ClientSettings, signal?: AbortSignal): Promise<FoundServer | NoServer> {
  const options = connectionOptions(settings);
  const foreignUser = await strangerOnPort(settings);
  if (foreignUser !== null) {
    return taken(`Port ${settings.port} on this machine is served by another user (uid ${foreignUser})`);
  }
  const inContainer = settings.container !== null && settings.mayStart;
  const timeoutMs = settings.mayStart ? undefined : REMOTE_TIMEOUT_MS;
  let seen = await probe(inContainer ? { ...options, apiKey: undefined } : options, signal, timeoutMs);
  // Containers ask everybody for the key: code that was meant for one must not run outside.
  if (inContainer && seen.kind === "ready")
    return taken(`Port ${settings.port} on this machine is served by a server that is not in a container`);
  if (seen.kind === "refused" && isHere(settings) && (inContainer || settings.apiKey === null)) {
    const apiKey = settings.apiKey ?? (settings.container === null ? await keyOf(settings.workDir) : await knownContainerKey(settings));
    if (apiKey !== null) seen = await probe({ ...options, apiKey }, signal, timeoutMs);
  }
  if (seen.kind === "ready") return seen;
  // The engine takes connections to a published port before the server in the container does.
  const isStarting = inContainer && isFault(seen.fault, "connection_lost", "timeout");
  if (seen.kind === "nobody" || isStarting) return { kind: "nobody", error: seen.fault };
  return { kind: "taken", error: seen.fault };
}

/** Only an address that we would start a server at ourselves has to be ours; a URL elsewhere is the user's own choice. */
async function strangerOnPort(settings: ClientSettings): Promise<number | null> {
  if (!settings.mayStart || settings.socketPath !== null || !isHere(settings)) return null;
  return foreignListener(settings.port);
}

/** A key that was made on this machine is for this machine's servers only. */
function isHere({ socketPath, url }: ClientSettings): boolean {
  return socketPath !== null || isLoopbackHost(new URL(url).hostname);
}

function taken(what: string): NoServer {
  return { kind: "taken", error: new UsageError(`${what}: choose another with execution.server.port (--port).`) };
}

/** A server that had to have a key and was given none keeps the one it made in its work directory; null where there is none. */
export async function keyOf(workDir: string): Promise<string | null> {
  const key = (await readFile(join(workDir, "api-key"), "utf8").catch(() => "")).trim();
  return key === "" ? null : key;
}
