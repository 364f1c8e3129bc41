/** `taskweaver server`: serves the HTTP API until it is told to end. */
import { loadConfigFile, resolveServerSettings, type FlagValues } from "../../config.ts";
import { VERSION } from "../../paths.ts";
import { startServer, type RunningServer } from "../../server.ts";
import { EXIT, exitCodeOf, hasColors, painter, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface ServerCommandOptions {
  flags: FlagValues;
  project: string | undefined;
}

/** Runs a server; resolves with the exit code when it has ended. */
export async function serverCommand(options: ServerCommandOptions, terminal: Terminal): Promise<number> {
  const file = loadConfigFile({ project: options.project, from: terminal.cwd });
  const settings = resolveServerSettings(options.flags, terminal.env, file);
  let hasStarted = false;
  let signals = 0;
  let end: () => void = () => undefined;
  const isToEnd = new Promise<void>((resolve) => (end = resolve));
  const stopListening = terminal.onSignal((signal) => {
    signals += 1;
    // Before the start is through there is nothing to drain; a second signal means "now".
    if (!hasStarted || signals > 1) process.exit(exitCodeOf(signal));
    end();
  });
  try {
    const server = await startServer(settings, { onProgress: (line) => void terminal.stderr.write(`${line}\n`), onUnused: end });
    hasStarted = true;
    announce(server, file?.path, terminal);
    await isToEnd;
    await server.close();
    return EXIT.ok;
  } finally {
    stopListening();
  }
}

/** Says on a terminal where the server is; the log says it to programs. A key is shown to people only. */
function announce(server: RunningServer, configPath: string | undefined, { stderr, env }: Terminal): void {
  const paint = painter(hasColors(stderr, env));
  const lines: string[] = [];
  if (stderr.isTTY === true) {
    lines.push(`${paint("bold", "TaskWeaver Executor")} ${VERSION} on ${paint("cyan", server.url)} (Ctrl-C ends it)`);
    if (configPath !== undefined) lines.push(`Configuration: ${configPath}`);
  }
  if (server.apiKeyFile !== null) {
    const shown = stderr.isTTY === true ? `: ${server.apiKey}` : "";
    lines.push(`Clients need the API key${shown} (kept in ${server.apiKeyFile})`);
  }
  if (lines.length > 0) stderr.write(`${lines.join("\n")}\n`);
}
