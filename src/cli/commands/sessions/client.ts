/** What the commands below `taskweaver sessions` share: the server that the settings name, which is never started for them. */
import type { ExecutionClient } from "../../../client/index.ts";
import { loadConfigFile, resolveClientSettings, type FlagValues } from "../../../config.ts";
import { findServer } from "../../../launcher/index.ts";
import type { Terminal } from "../../terminal.ts";

/** What every one of them is given. */
export interface SessionsCommandOptions {
  flags: FlagValues;
  project: string | undefined;
}

/** A client of the server, with the key that it made where none is set. @throws ExecutionClientError, UsageError where there is none to use. */
export async function sessionsClient(
  { flags, project }: SessionsCommandOptions,
  { env, cwd }: Terminal,
  signal?: AbortSignal,
): Promise<ExecutionClient> {
  const found = await findServer(resolveClientSettings(flags, env, loadConfigFile({ project, from: cwd })), signal);
  if (found.kind !== "ready") throw found.error;
  return found.client;
}
