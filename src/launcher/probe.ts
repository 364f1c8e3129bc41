/** Who answers where the server should be: ours, a stranger, or nobody. */
import { readFile } from "node:fs/promises";
import { ExecutionClient, ExecutionClientError, isFault, type ConnectionOptions, type Health } from "../client/index.ts";
import { VERSION } from "../paths.ts";

/** What a look at the server's address shows. */
export type Probe =
  | { kind: "ready"; client: ExecutionClient; health: Health }
  /** Ours, but it refuses the key, or asks for one. */
  | { kind: "refused"; health: Health; fault: ExecutionClientError }
  | { kind: "nobody"; fault: ExecutionClientError }
  /** Something else, or something that does not answer in time. */
  | { kind: "stranger"; fault: ExecutionClientError };

const LOCAL_TIMEOUT_MS = 3_000;

/** Longer than the system and `fetch` take to find out that a host cannot be reached: what they say then is worth more than a timeout. */
export const REMOTE_TIMEOUT_MS = 15_000;

/** Looks once, quickly. */
export async function probe(options: ConnectionOptions, signal?: AbortSignal, timeoutMs = LOCAL_TIMEOUT_MS): Promise<Probe> {
  const quick = new ExecutionClient({ ...options, retries: 0, timeoutMs });
  let health: Health;
  try {
    health = await quick.health({ signal });
  } catch (error) {
    if (!isFault(error) || error.code === "aborted") throw error;
    return {
      kind: error.code === "connection_refused" || (error.code === "unreachable" && error.statusCode === 0) ? "nobody" : "stranger",
      fault: error,
    };
  }
  try {
    await quick.listSessions({ signal });
  } catch (error) {
    if (isFault(error, "unauthorized")) return { kind: "refused", health, fault: error };
    if (isFault(error, "wrong_server", "not_found", "method_not_allowed")) {
      return { kind: "stranger", fault: skewFault(quick.url, health, error) };
    }
    if (isFault(error) && error.statusCode === 503) return { kind: "nobody", fault: error };
    throw error;
  }
  return { kind: "ready", client: new ExecutionClient(options), health };
}

/** It is healthy as ours is, and does not know what every server of ours does. */
function skewFault(url: string, { version }: Health, error: ExecutionClientError): ExecutionClientError {
  return new ExecutionClientError(
    "wrong_server",
    `The server at ${url} is version ${version}, and does not speak as this client (${VERSION}) does: it answers HTTP ${error.statusCode} where it should list its sessions. Let both be of one version, or look whether a proxy on the way lets only some paths through.`,
    { statusCode: error.statusCode, cause: error },
  );
}

/**
 * The user who listens on a TCP port of this machine, where that is neither this user nor root; null where it is, or nobody can tell.
 * A key or code must not go to whoever happened to take the port first.
 * @see https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
 */
export async function foreignListener(port: number): Promise<number | null> {
  if (process.platform !== "linux") return null;
  const own = process.getuid?.();
  const portHex = port.toString(16).toUpperCase().padStart(4, "0");
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "latin1").catch(() => "")));
  for (const line of tables.join("\n").split("\n")) {
    const fields = line.trim().split(/\s+/);
    const uid = Number(fields[7]);
    if (fields[3] === LISTEN && fields[1]?.endsWith(`:${portHex}`) === true && uid !== 0 && uid !== own) return uid;
  }
  return null;
}

const LISTEN = "0A";
