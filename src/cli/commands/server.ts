/** `taskweaver server`: serves the HTTP API until it is told to end. */
import { loadConfigFile, resolveServerSettings, type FlagValues } from "../../config.ts";
import { startServer } from "../../server.ts";
import { announce } from "../announce.ts";
import { runUntilSignal } from "../run-until-signal.ts";
import { EXIT, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface ServerCommandOptions {
  flags: FlagValues;
  project: string | undefined;
}

/** Runs a server; resolves with the exit code when it has ended. */
export async function serverCommand(options: ServerCommandOptions, terminal: Terminal): Promise<number> {
  const file = loadConfigFile({ project: options.project, from: terminal.cwd });
  const settings = resolveServerSettings(options.flags, terminal.env, file);
  await runUntilSignal(terminal, async (end) => {
    const server = await startServer(settings, { onProgress: (line) => void terminal.stderr.write(`${line}\n`), onUnused: end });
    // A client that started it knows the key, or where it is kept.
    const apiKeyFile = settings.exitWhenUnused ? null : server.apiKeyFile;
    announce("TaskWeaver Executor", { url: server.url, apiKey: server.apiKey, apiKeyFile }, file?.path, terminal);
    return server;
  });
  return EXIT.ok;
}
