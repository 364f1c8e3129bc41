/** The key of a server in a container that the client started: made anew for each, kept where code in the container cannot reach. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { ClientSettings } from "../config.ts";
import { messageOf, UsageError } from "../errors.ts";
import { containerName } from "./container-arguments.ts";

/** Makes a key and keeps it for the user's other clients. @throws UsageError where it cannot be kept. */
export async function makeContainerKey(settings: ClientSettings, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const key = randomBytes(24).toString("base64url");
  await keepContainerKey(settings, key, environment);
  return key;
}

/** Keeps a key for the user's other clients. @throws UsageError where it cannot be kept. */
export async function keepContainerKey(settings: ClientSettings, key: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const file = keyFile(settings, environment);
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, `${key}\n`, { mode: 0o600 });
  } catch (error) {
    throw new UsageError(`The container's key cannot be kept (${messageOf(error)}): set XDG_STATE_HOME to a writable folder.`, {
      cause: error,
    });
  }
}

/** The key of the container that runs, or ran, for these settings; null where none was made. */
export async function knownContainerKey(settings: ClientSettings, environment: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const key = (await readFile(keyFile(settings, environment), "utf8").catch(() => "")).trim();
  return key === "" ? null : key;
}

/** Not in the work directory: that one is mounted, so what lies there may be a link that code in the container has laid. */
function keyFile(settings: ClientSettings, environment: NodeJS.ProcessEnv): string {
  const state = environment["XDG_STATE_HOME"] || join(environment["HOME"] ?? homedir(), ".local/state");
  return join(state, "taskweaver/containers", `${containerName(settings)}.key`);
}
