/** The console's session on the server: the project's plugins in it, one execution at a time. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  isFault,
  type Artifact,
  type ExecutionClient,
  type ExecutionResult,
  type ExecutionSession,
  type InputPrompt,
  type VariableEntry,
} from "../../client/index.ts";
import type { ClientSettings } from "../../config.ts";
import { isLoopbackHost } from "../../config.ts";
import { messageOf } from "../../errors.ts";
import { ArtifactSaver } from "../artifact-saver.ts";
import { readProjectPlugins, type ProjectPlugin } from "../plugin-files.ts";

/** What an execution tells the console. */
export interface CellHandlers {
  onOutput(text: string, stream: "stdout" | "stderr"): void | Promise<void> | undefined;
  onArtifact(artifact: Artifact, saver: ArtifactSaver): Promise<void>;
  /** Absent where nobody is there to answer: `input()` then raises. */
  onInput?: ((request: InputPrompt, signal: AbortSignal) => string | undefined | Promise<string | undefined>) | undefined;
}

/** A plugin of the project, and why it is not loaded where it should be. */
export interface PluginState {
  plugin: ProjectPlugin;
  error: string | null;
}

/** How a session is opened. */
export interface ConsoleSessionOptions {
  client: ExecutionClient;
  /** Finds the server again, or starts one, after it was lost. */
  reconnect: () => Promise<ExecutionClient>;
  settings: ClientSettings;
  /** An existing session, or the name of a new one; else one is made up. */
  sessionId: string | undefined;
  /** Told of plugins that cannot be loaded. */
  onWarning: (text: string) => void;
}

/** One session. */
export class ConsoleSession {
  readonly plugins: PluginState[] = [];
  readonly #options: ConsoleSessionOptions;
  /** Whether it was there before this console, and stays after it. */
  readonly #isKept: boolean;
  #handle: ExecutionSession;
  #saver: ArtifactSaver;
  #running: string | null = null;
  #isClosed = false;
  #count: number;
  #variables: VariableEntry[] | null = null;

  private constructor(options: ConsoleSessionOptions, handle: ExecutionSession, executionCount: number) {
    this.#options = options;
    this.#handle = handle;
    this.#isKept = handle.isReused;
    this.#count = executionCount;
    this.#saver = this.#newSaver();
  }

  /** Starts or takes a session and loads the project's plugins; a broken plugin is a warning. */
  static async open(options: ConsoleSessionOptions): Promise<ConsoleSession> {
    const handle = await options.client.start(options.sessionId);
    const count = handle.isReused ? (await handle.getSessionInfo()).execution_count : 0;
    const session = new ConsoleSession(options, handle, count);
    await session.#loadPlugins();
    return session;
  }

  get handle(): ExecutionSession {
    return this.#handle;
  }

  /** The number of the next cell. */
  get nextNumber(): number {
    return this.#count + 1;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Runs one cell. Where the server is gone, or has forgotten the session, it is brought back first. */
  async execute(code: string, handlers: CellHandlers): Promise<ExecutionResult> {
    try {
      return await this.#executeOnce(code, handlers);
    } catch (error) {
      // In both cases the code has not run: nothing listened, or nobody knew the session.
      const isServerGone = isFault(error, "connection_refused");
      if (this.#isClosed || (!isServerGone && !isFault(error, "session_not_found"))) throw error;
      await this.#bringBack(isServerGone ? await this.#options.reconnect() : this.#handle.client);
      return this.#executeOnce(code, handlers);
    }
  }

  /** Interrupts what runs; false where nothing does. */
  async interrupt(): Promise<boolean> {
    if (this.#running === null) return false;
    try {
      await this.#handle.interrupt(this.#running);
    } catch (error) {
      // It may have ended, or not have arrived yet.
      if (!isFault(error, "execution_done", "execution_not_found")) throw error;
    }
    return true;
  }

  /** The variables as of the last cell; of a session that was there before, they are asked for. */
  async variables(): Promise<VariableEntry[]> {
    this.#variables ??= (await this.#handle.executeCode("", { timeoutMs: null })).variables;
    return this.#variables;
  }

  forgetVariables(): void {
    this.#variables = [];
  }

  /** Ends the session, unless it was there before. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isKept) return;
    try {
      await this.#handle.stop({ timeoutMs: 10_000 });
    } catch (error) {
      // Whatever keeps it from being ended here, the server's own limits end it.
      if (!isFault(error)) throw error;
    }
  }

  async #bringBack(client: ExecutionClient): Promise<void> {
    this.#handle = await client.start(this.#handle.sessionId);
    this.#saver = this.#newSaver();
    if (this.#handle.isReused) return;
    this.#options.onWarning("The server had lost this session: it begins anew, without its variables.");
    this.#variables = [];
    await this.#loadPlugins();
  }

  async #executeOnce(code: string, handlers: CellHandlers): Promise<ExecutionResult> {
    const { timeoutMs, isTimeoutGiven } = this.#options.settings;
    const shown = new Set<string>();
    const executionId = `cell-${this.nextNumber}`;
    const execution = this.#handle.executeCode(code, {
      executionId,
      // Who sits before it decides how long to wait; Ctrl-C is near.
      timeoutMs: isTimeoutGiven ? timeoutMs : null,
      onStdout: (text) => handlers.onOutput(text, "stdout"),
      onStderr: (text) => handlers.onOutput(text, "stderr"),
      // One that updates itself is saved when it has come to rest.
      onArtifact: async (artifact) => {
        if (artifact.display_id !== undefined) return;
        shown.add(artifact.file_name);
        await handlers.onArtifact(artifact, this.#saver);
      },
      onInputRequest: handlers.onInput,
      // A server that takes its place takes its kernels back, and what they wrote meanwhile.
      onServerGone: async () => void (await this.#options.reconnect()),
    });
    this.#running = executionId;
    try {
      const result = await execution;
      for (const artifact of result.artifact) {
        if (!shown.has(artifact.file_name)) await handlers.onArtifact(artifact, this.#saver);
      }
      this.#count += 1;
      this.#variables = result.variables;
      return result;
    } finally {
      this.#running = null;
    }
  }

  async #loadPlugins(): Promise<void> {
    const { settings, onWarning } = this.#options;
    if (settings.projectDirectory === null) return;
    const { plugins, broken } = readProjectPlugins(settings.projectDirectory);
    for (const { error } of broken) onWarning(error.message);
    this.plugins.length = 0;
    for (const plugin of plugins) {
      const state: PluginState = { plugin, error: null };
      this.plugins.push(state);
      if (!plugin.isEnabled) continue;
      try {
        await this.#handle.loadPlugin(plugin);
      } catch (error) {
        if (!isFault(error, "plugin_failed", "invalid_request")) throw error;
        state.error = messageOf(error);
        onWarning(`The plugin ${plugin.name} is not loaded: ${messageOf(error)}`);
      }
    }
  }

  #newSaver(): ArtifactSaver {
    const { settings } = this.#options;
    const { cwd, sessionId } = this.#handle;
    const isHere = settings.socketPath !== null || isLoopbackHost(new URL(settings.url).hostname);
    // Its own folder where we see it too; of a server in a container, the mounted one; of one elsewhere, a copy.
    const isOurs = isHere && cwd !== undefined && existsSync(cwd);
    const folder = isOurs ? cwd : join(settings.workDir, "sessions", sessionId, "cwd");
    return new ArtifactSaver({
      session: this.#handle,
      sharedFolder: isHere && existsSync(folder) ? folder : null,
      outputDirectory: folder,
    });
  }
}
