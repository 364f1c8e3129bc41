/** `taskweaver -p DIR`: the interactive client, on a server that is found or started. */
import { loadConfigFile, resolveClientSettings, type ClientSettings, type FlagValues } from "../../config.ts";
import { ExecutionService } from "../../launcher/index.ts";
import { VERSION } from "../../paths.ts";
import { ConsoleSession } from "../interactive/console-session.ts";
import { runConsole } from "../interactive/console.ts";
import { Display } from "../interactive/display.ts";
import { EXIT, exitCodeOf, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface ConsoleCommandOptions {
  flags: FlagValues;
  project: string | undefined;
  /** A session to go on with, or the name of a new one. */
  session?: string;
}

/** A session that is open, and what it is shown by. */
export interface OpenSession {
  session: ConsoleSession;
  service: ExecutionService;
  display: Display;
}

/** Runs the console; resolves with the exit code. */
export async function consoleCommand(options: ConsoleCommandOptions, terminal: Terminal): Promise<number> {
  return inSession(options, terminal, new Display(terminal), async (open) => {
    greet(open, terminal);
    const signal = await runConsole({ ...open, terminal });
    return signal === null ? EXIT.ok : exitCodeOf(signal);
  });
}

/**
 * Opens a session as the settings say, and ends it after its use.
 * @param use Resolves with the exit code; from here on signals are its own.
 */
export async function inSession(
  options: ConsoleCommandOptions,
  terminal: Terminal,
  display: Display,
  use: (open: OpenSession) => Promise<number>,
): Promise<number> {
  const file = loadConfigFile({ project: options.project, from: terminal.cwd });
  const settings = resolveClientSettings(options.flags, terminal.env, file);
  const startup = new AbortController();
  let exitCode: number = EXIT.ok;
  const stopListening = terminal.onSignal((signal) => {
    exitCode = exitCodeOf(signal);
    // What was begun is put away first; who asks twice does not wait for that.
    if (startup.signal.aborted) process.exit(exitCode);
    startup.abort();
  });
  try {
    let service = await openService(settings, startup.signal, terminal);
    await using _release = { [Symbol.asyncDispose]: () => service.close() };
    const reconnect = async () => {
      await service.close();
      service = await openService(settings, undefined, terminal);
      return service.client;
    };
    const session = await ConsoleSession.open({
      client: service.client,
      reconnect,
      settings,
      sessionId: options.session,
      onWarning: (text) => display.fault(text),
    });
    try {
      startup.signal.throwIfAborted();
      stopListening();
      exitCode = await use({ session, service, display });
    } finally {
      await session.close();
    }
  } catch (error) {
    if (!startup.signal.aborted) throw error;
  } finally {
    stopListening();
  }
  return exitCode;
}

/** Says on a terminal what this is. */
export function greet({ session, service, display }: OpenSession, { stdin }: Terminal, about: string[] = []): void {
  if (stdin.isTTY !== true) return;
  const how = service.isStarted ? " (started for this)" : "";
  display.line(
    `${display.paint("bold", "TaskWeaver Executor")} ${VERSION} on ${service.client.url}${how}, session ${session.handle.sessionId}`,
  );
  for (const line of about) display.line(line);
  const loaded = session.plugins.filter(({ plugin, error }) => plugin.isEnabled && error === null).map(({ plugin }) => plugin.name);
  if (loaded.length > 0) display.line(`Plugins: ${loaded.join(", ")}`);
  display.line("/help shows the commands, Ctrl-D ends.");
}

function openService(settings: ClientSettings, signal: AbortSignal | undefined, { stderr }: Terminal): Promise<ExecutionService> {
  return ExecutionService.open(settings, { onProgress: (line) => void stderr.write(`${line}\n`), signal });
}
