/** `taskweaver mcp`: the Model Context Protocol over standard input and output, on a server that is found or started. */
import { loadConfigFile, resolveClientSettings, type FlagValues } from "../../config.ts";
import { messageOf } from "../../errors.ts";
import { ExecutionService } from "../../launcher/index.ts";
import { DefaultSession, newDefaultSession, serveMcpOverStdio } from "../../mcp/index.ts";
import { EXIT, exitCodeOf, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface McpCommandOptions {
  flags: FlagValues;
  project: string | undefined;
  /** The session of calls that name none; kept when the client leaves. */
  session?: string;
}

/** Serves one client until it hangs up; resolves with the exit code. */
export async function mcpCommand(options: McpCommandOptions, terminal: Terminal): Promise<number> {
  const file = loadConfigFile({ project: options.project, from: terminal.cwd });
  const settings = resolveClientSettings(options.flags, terminal.env, file);
  const say = (line: string): void => void terminal.stderr.write(`${line}\n`);
  const leaving = new AbortController();
  let exitCode: number = EXIT.ok;
  const stopListening = terminal.onSignal((signal) => {
    exitCode = exitCodeOf(signal);
    leaving.abort();
  });
  // Begun at once, so that the first call need not wait; the client's handshake does not wait for it either.
  const service = new LazyService(() => ExecutionService.open(settings, { onProgress: say, signal: leaving.signal }));
  service.open().catch((error: unknown) => void (leaving.signal.aborted || say(`taskweaver: ${messageOf(error)}`)));
  const session = options.session === undefined ? newDefaultSession() : new DefaultSession(options.session);
  const connection = serveMcpOverStdio(
    terminal,
    async () => (await service.open()).client,
    session,
    (error) => say(`taskweaver: ${messageOf(error)}`),
  );
  try {
    await Promise.race([connection.ended, aborted(leaving.signal)]);
    return exitCode;
  } finally {
    stopListening();
    leaving.abort();
    await connection.close();
    await service.close(async ({ client }) => {
      if (options.session === undefined) await session.end(client);
    });
  }
}

/** A service that is opened by the first who needs it, and by the next one again where that failed. */
class LazyService {
  readonly #open: () => Promise<ExecutionService>;
  #opening: Promise<ExecutionService> | undefined;

  constructor(open: () => Promise<ExecutionService>) {
    this.#open = open;
  }

  open(): Promise<ExecutionService> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** @param before What is done first, as well as it goes. */
  async close(before: (service: ExecutionService) => Promise<void>): Promise<void> {
    const service = await this.#opening?.catch(() => undefined);
    if (service === undefined) return;
    await before(service).catch(() => undefined);
    await service.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
