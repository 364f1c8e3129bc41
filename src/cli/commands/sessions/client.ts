/** What the commands below `taskweaver sessions` share: the server that the settings name, which is never started for them. */
import { ExecutionClient } from "../../../client/index.ts";
import { loadConfigFile, resolveClientSettings, type FlagValues } from "../../../config.ts";
import { connectionOptions } from "../../../launcher/index.ts";
import type { Terminal } from "../../terminal.ts";

/** What every one of them is given. */
export interface SessionsCommandOptions {
  flags: FlagValues;
  project: string | undefined;
}

/** A client of the server. */
export function sessionsClient({ flags, project }: SessionsCommandOptions, { env, cwd }: Terminal): ExecutionClient {
  return new ExecutionClient(connectionOptions(resolveClientSettings(flags, env, loadConfigFile({ project, from: cwd }))));
}
