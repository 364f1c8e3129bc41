/** `taskweaver sessions logs`: what ran in a session and what it wrote, and with `--follow` what it goes on to write. */
import { setTimeout as sleep } from "node:timers/promises";
import { type ExecutionClient, type ExecutionResult, type ExecutionSummary, isFault, outputText } from "../../../client/index.ts";
import { EXIT, exitCodeOf, type Terminal } from "../../terminal.ts";
import { sessionsClient, type SessionsCommandOptions } from "./client.ts";

/** What the command was given. */
export interface LogsOptions extends SessionsCommandOptions {
  follow?: boolean;
  /** How many of the last executions are shown at first. */
  last: number;
}

/** New executions are asked for this often: the server tells of them only when asked. */
const LOOK_EVERY_MS = 1000;

/** Writes it; output and values to standard output, errors of the code among them: they are part of the log. */
export async function logsCommand(id: string, options: LogsOptions, terminal: Terminal): Promise<number> {
  const ending = new AbortController();
  let exitCode: number = EXIT.ok;
  const stopListening = terminal.onSignal((signal) => {
    // To stop following is what Ctrl-C is for.
    exitCode = signal === "SIGINT" && options.follow === true ? EXIT.ok : exitCodeOf(signal);
    ending.abort();
  });
  try {
    const client = await sessionsClient(options, terminal, ending.signal);
    await new SessionLog(client, id, terminal, ending.signal).write(options);
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  } finally {
    stopListening();
  }
  return exitCode;
}

class SessionLog {
  readonly #client: ExecutionClient;
  readonly #sessionId: string;
  readonly #terminal: Terminal;
  readonly #signal: AbortSignal;
  readonly #shown = new Set<string>();
  #isLineOpen = false;

  constructor(client: ExecutionClient, sessionId: string, terminal: Terminal, signal: AbortSignal) {
    this.#client = client;
    this.#sessionId = sessionId;
    this.#terminal = terminal;
    this.#signal = signal;
  }

  async write({ last, follow }: LogsOptions): Promise<void> {
    const first = await this.#list();
    for (const execution of first.slice(0, Math.max(0, first.length - last))) this.#shown.add(keyOf(execution));
    for (const execution of first.slice(Math.max(0, first.length - last))) await this.#show(execution, follow === true);
    while (follow === true) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.#signal });
      try {
        for (const execution of await this.#list()) if (!this.#shown.has(keyOf(execution))) await this.#show(execution, true);
      } catch (error) {
        if (!isFault(error, "session_not_found")) throw error;
        this.#terminal.stderr.write(`The session ${this.#sessionId} has ended.\n`);
        return;
      }
    }
  }

  /** The executions, oldest first. */
  async #list(): Promise<ExecutionSummary[]> {
    return (await this.#client.listExecutions(this.#sessionId, { signal: this.#signal })).toReversed();
  }

  async #show(execution: ExecutionSummary, isFollowed: boolean): Promise<void> {
    this.#shown.add(keyOf(execution));
    const { execution_id: id } = execution;
    const status = await this.#client.getExecution(this.#sessionId, id, { signal: this.#signal });
    this.#line(`# ${id}, ${execution.started_at ?? execution.queued_at}`);
    for (const [index, line] of (status.code ?? "").trimEnd().split("\n").entries()) this.#line(`${index === 0 ? ">>>" : "..."} ${line}`);
    if (status.result !== undefined) {
      for (const text of [...status.result.stdout, ...status.result.stderr]) this.#text(text);
      this.#end(status.result);
    } else if (isFollowed) {
      const write = (text: string): void => this.#text(text);
      this.#end(await this.#client.followExecution(this.#sessionId, id, { onStdout: write, onStderr: write, signal: this.#signal }));
    } else this.#line(`(${status.state})`);
  }

  #end(result: ExecutionResult): void {
    for (const [level, tag, message] of result.log) this.#line(`${level} ${tag}: ${message}`);
    const value = outputText(result);
    if (value !== null) this.#line(value);
    for (const { type, file_name } of result.artifact) this.#line(`[${type}] ${file_name}`);
    if (result.error !== null) this.#line(result.error.trimEnd());
    this.#line("");
  }

  #text(text: string): void {
    this.#terminal.stdout.write(text);
    if (text !== "") this.#isLineOpen = !text.endsWith("\n");
  }

  #line(text: string): void {
    this.#terminal.stdout.write(`${this.#isLineOpen ? "\n" : ""}${text}\n`);
    this.#isLineOpen = false;
  }
}

/** An id may be used again once its execution is done. */
function keyOf({ execution_id, queued_at }: ExecutionSummary): string {
  return `${execution_id} ${queued_at}`;
}
