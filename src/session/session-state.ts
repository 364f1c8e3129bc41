/** What a session holds that is no Python state: plugins and session variables, written down for a server to come. */
import type { LogEntry, SessionInfo } from "../api/index.ts";
import type { SessionJournal } from "./journal/session-journal.ts";
import type { SessionRecord } from "./journal/session-record.ts";
import { recordKernel } from "./kernel-adoption.ts";
import type { LiveKernel } from "./live-kernel.ts";
import { PluginSet } from "./plugin-set.ts";
import type { RuntimeSession } from "./runtime-protocol.ts";
import type { Workspace } from "./workspace.ts";

/** The part of a session that never changes. */
export interface SessionIdentity {
  id: string;
  kernelName: string;
  env: Record<string, string>;
  workspace: Workspace;
  createdAt: Date;
  idleTimeoutMs: number | null;
  envId: string;
}

/** What of its kernel is written down. */
export interface KernelState {
  current: LiveKernel | undefined;
  /** When variables were lost, where no execution has told so yet. */
  lossAt: Date | undefined;
}

/** Plugins, variables and their record on disk. */
export class SessionState {
  readonly plugins = new PluginSet();
  readonly #identity: SessionIdentity;
  readonly #journal: SessionJournal | undefined;
  readonly #variables = new Map<string, string>();
  readonly #notices: LogEntry[] = [];
  #isForgotten = false;

  constructor(identity: SessionIdentity, journal: SessionJournal | undefined) {
    this.#identity = identity;
    this.#journal = journal;
  }

  /** Its part of what clients are told of the session. */
  get info(): Pick<SessionInfo, "session_id" | "created_at" | "loaded_plugins" | "cwd" | "kernel" | "idle_timeout"> {
    const { id, createdAt, workspace, kernelName, idleTimeoutMs } = this.#identity;
    return {
      session_id: id,
      created_at: createdAt.toISOString(),
      loaded_plugins: this.plugins.names,
      cwd: workspace.cwd,
      kernel: kernelName,
      idle_timeout: (idleTimeoutMs ?? 0) / 1000,
    };
  }

  /** What plugin code may ask about its session. */
  get runtimeSession(): RuntimeSession {
    const { id, envId } = this.#identity;
    return { session_id: id, env_id: envId, session_variables: Object.fromEntries(this.#variables) };
  }

  /** Merges variables; false where nothing changes. */
  mergeVariables(variables: Record<string, string>): boolean {
    const changes = Object.entries(variables).filter(([name, value]) => this.#variables.get(name) !== value);
    for (const [name, value] of changes) this.#variables.set(name, value);
    return changes.length > 0;
  }

  /** Loads the plugins again on a fresh kernel. */
  async reloadPlugins(kernel: LiveKernel): Promise<void> {
    for (const { name, reason } of await this.plugins.reload(kernel, this.runtimeSession)) {
      this.#notices.push(["error", `Plugin-${name}`, `could not be loaded again: ${reason}`]);
    }
  }

  /** What happened while nothing ran, for the log of the next execution: plugins that could not be loaded again, and the like; told once. */
  takeNotices(): LogEntry[] {
    return this.#notices.splice(0);
  }

  /** Something of the server's happened that no execution tells. */
  notice(what: string): void {
    this.#notices.push(["error", "Limits", what]);
  }

  /** Takes up what an earlier server wrote down. */
  restore(record: SessionRecord): void {
    this.plugins.restore(record.plugins);
    this.mergeVariables(record.variables);
  }

  /**
   * Writes all of it down.
   * @param prepared The kernel, where its plugins are loaded.
   */
  save({ current, lossAt }: KernelState, prepared: LiveKernel | undefined): void {
    if (this.#journal === undefined || this.#isForgotten) return;
    const { id, kernelName, env, workspace, createdAt, idleTimeoutMs } = this.#identity;
    this.#journal.save({
      version: 1,
      sessionId: id,
      kernelName,
      env,
      cwd: workspace.cwd,
      cwdRequested: workspace.cwdRequested ?? null,
      idleTimeoutMs,
      createdAt: createdAt.toISOString(),
      plugins: this.plugins.sources,
      variables: Object.fromEntries(this.#variables),
      kernel: recordKernel(current, prepared === current, workspace),
      lossAt: lossAt?.toISOString() ?? null,
    });
  }

  /** Nothing more is written down; a server to come goes on from here. */
  release(): void {
    this.#journal?.close();
  }

  /** The session has ended: no later server is to find it. */
  async forget(): Promise<void> {
    this.#isForgotten = true;
    await this.#journal?.remove();
  }
}
