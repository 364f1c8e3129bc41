/** `taskweaver run`: runs code once, shows what it writes as it comes, saves its artifacts, and tells by the exit code. */
import { readFileSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { isFault, outputText, type ExecutionClient, type ExecutionResult, type ExecutionSession } from "../../client/index.ts";
import {
  isLoopbackHost,
  loadConfigFile,
  resolveClientSettings,
  resolveServerSettings,
  type ClientSettings,
  type ConfigFile,
  type FlagValues,
} from "../../config.ts";
import { messageOf, UsageError } from "../../errors.ts";
import { ExecutionService, findServer } from "../../launcher/index.ts";
import { ArtifactSaver } from "../artifact-saver.ts";
import { Questioner } from "../ask.ts";
import { readPluginFile } from "../plugin-files.ts";
import { EXIT, exitCodeOf, type EndSignal, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface RunCommandOptions {
  file: string | undefined;
  code?: string;
  plugin?: string[];
  outputDir?: string;
  json?: boolean;
  kernel?: string;
  flags: FlagValues;
  project: string | undefined;
}

/** The client waits a little longer than the code may run, to get its result. */
const RESULT_GRACE_MS = 30_000;

/** Runs it; resolves with the exit code. */
export async function runCommand(options: RunCommandOptions, terminal: Terminal): Promise<number> {
  const code = await readCode(options, terminal);
  const plugins = (options.plugin ?? []).map((path) => readPluginFile(resolve(terminal.cwd, path)));
  const config = loadConfigFile({ project: options.project, from: terminal.cwd });
  const settings = resolveClientSettings(options.flags, terminal.env, config);
  const run = new Run(terminal, settings);
  const stopListening = terminal.onSignal((signal) => run.end(signal));
  try {
    await using server = await openServer(options.flags, settings, config, { terminal, run });
    await using session = await server.client.start(undefined, { cwd: server.isLocal ? terminal.cwd : undefined, kernel: options.kernel });
    for (const plugin of plugins) await session.loadPlugin(plugin);
    const saver = new ArtifactSaver({
      session,
      sharedFolder: server.isLocal && session.cwd === terminal.cwd ? terminal.cwd : null,
      outputDirectory: resolve(terminal.cwd, options.outputDir ?? "."),
    });
    const result = await run.execute(session, code, { executionId: nameOf(options.file), isQuiet: options.json === true });
    const saved = await saveAll(result, saver, terminal);
    if (options.json === true) terminal.stdout.write(`${JSON.stringify({ ...result, saved }, null, 2)}\n`);
    return run.signal === null ? exitCodeOfResult(result) : exitCodeOf(run.signal);
  } catch (error) {
    if (run.signal !== null && run.givenUp.aborted) return exitCodeOf(run.signal);
    throw error;
  } finally {
    stopListening();
  }
}

async function readCode({ file, code }: RunCommandOptions, terminal: Terminal): Promise<string> {
  if ((file === undefined) === (code === undefined)) {
    throw new UsageError("Name a file to run, or give the code with -c: taskweaver run -c 'print(1)'.");
  }
  if (code !== undefined) return code;
  if (file === "-") return text(terminal.stdin);
  const path = resolve(terminal.cwd, file ?? "");
  try {
    return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

/** Display files are named after the execution; one that is named after the script says more than a random one. */
function nameOf(file: string | undefined): string {
  const stem = file === undefined || file === "-" ? "run" : basename(file, extname(file));
  return (
    stem
      .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 64) || "run"
  );
}

interface OpenServer extends AsyncDisposable {
  client: ExecutionClient;
  /** Whether it sees this machine's files. */
  isLocal: boolean;
}

/** The configured server where it runs, else one of our own for this run. */
async function openServer(
  flags: FlagValues,
  settings: ClientSettings,
  config: ConfigFile | null,
  { terminal, run }: { terminal: Terminal; run: Run },
): Promise<OpenServer> {
  const onProgress = (line: string) => void terminal.stderr.write(`${line}\n`);
  const isLocal = settings.container === null && (settings.socketPath !== null || isLoopbackHost(new URL(settings.url).hostname));
  if (settings.container !== null || !settings.mayStart) {
    const service = await ExecutionService.open(settings, { onProgress, signal: run.givenUp });
    return { client: service.client, isLocal, [Symbol.asyncDispose]: () => service.close() };
  }
  const found = await findServer(settings, run.givenUp);
  if (found.kind === "ready") return { client: found.client, isLocal, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (found.kind === "taken") {
    const isOurs = isFault(found.error, "unauthorized");
    // Who names a key means the server that asks for one, which may be in a container: its code must not run here instead.
    if (settings.isUrlGiven || (isOurs && settings.apiKey !== null)) throw found.error;
    if (isOurs) onProgress(`${found.error.message.replace(/\.$/, "")}; this code runs on a server of its own.`);
  }
  // Loaded here only: a run on a server that is there needs none of the server's code.
  const { startPrivateServer } = await import("../private-server.ts");
  run.mayExit = true;
  const server = await startPrivateServer(resolveServerSettings(flags, terminal.env, config), {
    timeoutMs: settings.timeoutMs,
    onProgress,
  });
  run.mayExit = false;
  return { client: server.client, isLocal: true, [Symbol.asyncDispose]: () => server.close() };
}

/** The one execution, and what a signal does to it. */
class Run {
  /** The signal that asked to end. */
  signal: EndSignal | null = null;
  /** Whether there is nothing that would have to be put away before this process ends. */
  mayExit = false;
  readonly #terminal: Terminal;
  readonly #settings: ClientSettings;
  readonly #giveUp = new AbortController();
  #interrupt: (() => void) | null = null;

  constructor(terminal: Terminal, settings: ClientSettings) {
    this.#terminal = terminal;
    this.#settings = settings;
  }

  /** Aborts when what goes on is not waited for any more. */
  get givenUp(): AbortSignal {
    return this.#giveUp.signal;
  }

  /** The first signal interrupts the code, or ends what is begun before it; the next stops waiting; the last ends everything at once. */
  end(signal: EndSignal): void {
    const interrupt = this.#interrupt;
    this.#interrupt = null;
    this.signal ??= signal;
    if (interrupt !== null) interrupt();
    else if (!this.mayExit && !this.givenUp.aborted) this.#giveUp.abort();
    else process.exit(exitCodeOf(signal));
  }

  async execute(session: ExecutionSession, code: string, options: { executionId: string; isQuiet: boolean }): Promise<ExecutionResult> {
    const { stdin, stdout, stderr } = this.#terminal;
    const questioner = new Questioner(this.#terminal);
    const { timeoutMs, isTimeoutGiven } = this.#settings;
    let isLineOpen = false;
    const show = (stream: typeof stdout, chunk: string) => {
      if (options.isQuiet) return;
      isLineOpen = !chunk.endsWith("\n");
      return write(stream, chunk);
    };
    const execution = session.executeCode(code, {
      executionId: options.executionId,
      // The session ends with this run, so the limit is the code's own.
      signal: this.givenUp,
      timeoutMs: isTimeoutGiven ? timeoutMs + RESULT_GRACE_MS : null,
      ...(isTimeoutGiven ? { executionTimeoutMs: timeoutMs } : {}),
      onStdout: (chunk) => show(stdout, chunk),
      onStderr: (chunk) => show(stderr, chunk),
      // A closed or foreign standard input must not be read for code that does not ask.
      ...(stdin.readable ? { onInputRequest: (request, signal) => questioner.ask(request, signal) } : {}),
    });
    this.#interrupt = () => void this.#sendInterrupt(session, options.executionId);
    try {
      const result = await execution;
      if (options.isQuiet || this.signal === "SIGPIPE") return result;
      const value = outputText(result);
      if (isLineOpen && (value !== null || result.error !== null)) await write(stdout, "\n");
      if (value !== null) await write(stdout, `${value}\n`);
      if (result.error !== null && systemExit(result) === null) await write(stderr, `${result.error.trimEnd()}\n`);
      return result;
    } finally {
      questioner.close();
    }
  }

  async #sendInterrupt(session: ExecutionSession, executionId: string): Promise<void> {
    try {
      await session.interrupt(executionId);
    } catch (error) {
      if (!isFault(error, "execution_done")) this.#terminal.stderr.write(`taskweaver: ${messageOf(error)}\n`);
    }
  }
}

async function saveAll(result: ExecutionResult, saver: ArtifactSaver, terminal: Terminal): Promise<string[]> {
  const paths: string[] = [];
  for (const artifact of result.artifact) {
    const path = await saver.save(artifact);
    terminal.stderr.write(`saved ${path}\n`);
    paths.push(path);
  }
  return paths;
}

function exitCodeOfResult(result: ExecutionResult): number {
  return result.is_success ? EXIT.ok : (systemExit(result) ?? EXIT.failed);
}

/** `sys.exit(n)` means to the caller of a script what it always means; null for every other end. */
function systemExit(result: ExecutionResult): number | null {
  const lastLine = result.error?.trimEnd().split("\n").at(-1) ?? "";
  const exit = result.reason === "error" ? /^SystemExit(?:: (\d+|None))?$/.exec(lastLine) : null;
  if (exit === null) return null;
  return exit[1] === undefined || exit[1] === "None" ? EXIT.ok : Number(exit[1]) & 255;
}

/** A reader that is slower than the code slows the showing, not the code. */
function write(stream: Terminal["stdout"], chunk: string): Promise<void> | undefined {
  if (stream.write(chunk)) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}
