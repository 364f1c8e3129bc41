/** All sessions of a server: made, found, listed, ended; never more running ones than allowed. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { CreateSessionRequest } from "../api/index.ts";
import { AppError } from "../errors.ts";
import type { OutputLimits } from "./output-stream.ts";
import type { KernelRecord } from "./journal/session-record.ts";
import { readSession, SessionJournal, type WrittenSession } from "./journal/session-journal.ts";
import { ResultMemory } from "./result-memory.ts";
import type { FoundKernel, KernelStarter } from "./live-kernel.ts";
import type { SessionOptions } from "./session-options.ts";
import { isSameFolder } from "./folders.ts";
import { observedStarter, type SessionObserver } from "./session-observer.ts";
import { Session } from "./session.ts";
import { startTimer } from "./timer.ts";
import { createWorkspace, removeHalfUploads, removeRecords, removeWorkspace, type Workspace } from "./workspace.ts";

/** What a store is made with. */
export interface SessionStoreOptions {
  /** Absolute path; sessions live below its `sessions/`. */
  workDirectory: string;
  maxSessions: number;
  maxQueue: number;
  output: OutputLimits;
  executionTimeoutMs: number | null;
  /** For sessions that name none; null: never. */
  idleTimeoutMs: number | null;
  streamRetentionMs: number;
  interruptGraceMs: number;
  /** After a session's end; 0: at once, null: never. */
  removeFilesAfterMs: number | null;
  envId: string;
  startKernel: KernelStarter;
  /** Whether a session may work in a folder of its client's choice. */
  mayUse?: (cwd: string) => boolean;
  /** Finds the kernel of an earlier server; absent where sessions are not written down. */
  reconnect?: (kernel: KernelRecord) => Promise<FoundKernel>;
  observer?: SessionObserver;
  logger: Logger;
}

/** What tells one session from another, whoever made it. */
type SessionIdentity = Pick<SessionOptions, "id" | "kernelName" | "env" | "idleTimeoutMs" | "createdAt">;

const DEFAULT_KERNEL = "python3";

/** What results of executions that are done may take in memory: most are asked for soon or never. */
const RESULT_MEMORY_BYTES = 64 * 1024 * 1024;

/** The sessions of one server. */
export class SessionStore {
  readonly #options: SessionStoreOptions;
  readonly #sessions = new Map<string, Session>();
  /** Sessions that are being made, from the request until their kernel answers. */
  readonly #making = new Map<string, Promise<Session>>();
  /** Sessions that are being ended, and files that are being removed; a new session of that id waits for it. Never rejects. */
  readonly #ending = new Map<string, Promise<void>>();
  /** Cancel the removal of files that is still to come. */
  readonly #removals = new Map<string, () => void>();
  readonly #resultMemory = new ResultMemory(RESULT_MEMORY_BYTES);
  #closing = false;
  /** Since the server drains: when the sessions end at the latest, in milliseconds. */
  #drainsUntil: number | undefined;
  readonly #whenEmpty = new Set<() => void>();

  constructor(options: SessionStoreOptions) {
    this.#options = options;
  }

  /** How many sessions have a kernel. */
  get runningCount(): number {
    let count = 0;
    for (const session of this.#sessions.values()) if (session.running) count += 1;
    return count;
  }

  /** How many sessions there are, stopped ones included. */
  get count(): number {
    return this.#sessions.size;
  }

  /** How many sessions have work that runs or waits. */
  get busyCount(): number {
    let count = 0;
    for (const session of this.#sessions.values()) if (session.busy) count += 1;
    return count;
  }

  /** How many executions run. */
  get executingCount(): number {
    let count = 0;
    for (const session of this.#sessions.values()) if (session.currentExecution !== undefined) count += 1;
    return count;
  }

  /** Executions and plugin work that wait for their turn, in all sessions. */
  get queuedCount(): number {
    return this.list().reduce((count, session) => count + session.queuedCount, 0);
  }

  /** Resident memory of all kernels, where it can be known. */
  get kernelMemoryBytes(): number {
    return this.list().reduce((bytes, session) => bytes + (session.info.memory_bytes ?? 0), 0);
  }

  /** How many sessions may have a kernel. */
  get maxSessions(): number {
    return this.#options.maxSessions;
  }

  /** Until when the sessions live on, in milliseconds of the clock, where the server is going down. */
  get draining(): number | undefined {
    return this.#drainsUntil ?? (this.#closing ? Date.now() : undefined);
  }

  /**
   * Makes a session and starts its kernel.
   * @throws AppError `session_exists`, `session_limit`, `unknown_kernel`, `kernel_start_failed`, `shutting_down`; `session_not_found` where it
   * was deleted while it started.
   */
  async create(request: CreateSessionRequest): Promise<Session> {
    const id = request.session_id;
    this.#mustTakeSessions();
    if (this.#sessions.has(id) || this.#making.has(id)) throw new AppError("session_exists", `Session ${id} exists already.`);
    const soonStarted = [...this.#making.keys()].filter((other) => !this.#sessions.has(other)).length;
    const stillEnding = [...this.#ending.keys()].filter((other) => other !== id).length;
    this.#admit(soonStarted + stillEnding);
    const making = this.#make(request, this.#twinOf(id));
    this.#making.set(id, making);
    try {
      return await making;
    } finally {
      this.#making.delete(id);
    }
  }

  /**
   * Takes back the sessions that an earlier server on this work directory left. A damaged record costs its session, never the start.
   * @returns how many there are again.
   */
  async recover(): Promise<number> {
    const names = await readdir(join(this.#options.workDirectory, "sessions")).catch((): string[] => []);
    const found = new Set<string>();
    await Promise.all(names.map((name) => this.#recoverOne(name, found).catch((error: unknown) => this.#noteDamage(name, error))));
    return this.#sessions.size;
  }

  /** Leaves all sessions and their kernels to a server to come. */
  async release(): Promise<void> {
    this.#closing = true;
    for (const cancel of this.#removals.values()) cancel();
    await Promise.allSettled([...this.#making.values(), ...this.#ending.values()]);
    await Promise.all(this.list().map((session) => session.release()));
  }

  /** @throws AppError `session_not_found`. */
  get(id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new AppError("session_not_found", `There is no session ${id}.`);
    return session;
  }

  list(): Session[] {
    return [...this.#sessions.values()];
  }

  /** Ends a session and forgets it; its files stay as the settings say. @throws AppError `session_not_found`. */
  async remove(id: string): Promise<void> {
    const session = this.get(id);
    this.#sessions.delete(id);
    if (this.#sessions.size === 0) for (const tell of this.#whenEmpty) tell();
    await this.#whileEnding(id, async () => {
      await session.close("The session was stopped.");
      await removeRecords(session.workspace);
      await this.#removeFiles(session.workspace, id);
    });
  }

  /** From now on no new sessions are taken. Resolves when there are none any more, or when the time is over. */
  async emptied(timeoutMs: number): Promise<void> {
    this.#drainsUntil = Date.now() + timeoutMs;
    await Promise.allSettled(this.#making.values());
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = startTimer(timeoutMs, resolve);
      this.#whenEmpty.add(() => {
        cancel();
        resolve();
      });
    });
  }

  /** From now on no new work is taken. */
  refuseNewWork(): void {
    this.#closing = true;
  }

  /** Resolves when nothing runs or waits any more, or when the time is over. */
  async drained(timeoutMs: number): Promise<void> {
    const busy = this.list().filter((session) => session.busy);
    if (busy.length === 0) return;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), timeoutMs);
    const timeIsOver = new Promise<void>((resolve) => deadline.signal.addEventListener("abort", () => resolve()));
    await Promise.race([Promise.all(busy.map((session) => session.idle())), timeIsOver]);
    clearTimeout(timer);
  }

  /** Ends all sessions, those that are just being made or ended too; their files stay. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const cancel of this.#removals.values()) cancel();
    const closings = this.list().map((session) => session.close("The server shut down."));
    await Promise.allSettled([...closings, ...this.#making.values(), ...this.#ending.values()]);
  }

  /** The processes of the kernels that sessions have now. */
  kernelPids(): Set<number> {
    return new Set(this.list().flatMap((session) => session.kernelPid() ?? []));
  }

  /** Kills all kernels, without a wait: the server's process ends in this moment. */
  killKernels(): void {
    for (const session of this.#sessions.values()) session.killKernel();
  }

  /** @throws AppError `shutting_down`. */
  mustTakeWork(): void {
    this.#mustBeOpen();
  }

  /** @param twin An id that is the same for file systems which do not tell upper from lower case. */
  async #make(request: CreateSessionRequest, twin: string | undefined): Promise<Session> {
    const id = request.session_id;
    this.#keepFiles(id);
    await this.#ending.get(id);
    const workspace = await createWorkspace(this.#options.workDirectory, id, request.cwd ?? undefined, this.#options.mayUse);
    if (twin !== undefined && (await this.#shareFolder(id, twin))) {
      const detail = `Session ${twin} exists already, and the file system of the work directory does not tell ${id} from it.`;
      throw new AppError("session_exists", detail);
    }
    this.#mustBeOpen();
    const idleTimeout = request.idle_timeout;
    const session = this.#build(workspace, {
      id,
      kernelName: request.kernel ?? DEFAULT_KERNEL,
      env: request.env ?? {},
      idleTimeoutMs: typeof idleTimeout === "number" ? (idleTimeout === 0 ? null : idleTimeout * 1000) : this.#options.idleTimeoutMs,
    });
    this.#sessions.set(id, session);
    try {
      await session.open();
      if (this.#sessions.get(id) === session) return session;
    } catch (error) {
      await session.close("The session could not be started.");
      const wasRemoved = this.#sessions.get(id) !== session;
      if (!wasRemoved) this.#sessions.delete(id);
      this.#mustBeOpen();
      if (!wasRemoved) throw error;
    }
    throw new AppError("session_not_found", `Session ${id} was deleted while it started.`);
  }

  #twinOf(id: string): string | undefined {
    const known = [this.#sessions, this.#making, this.#ending].flatMap((sessions) => [...sessions.keys()]);
    return known.find((other) => other !== id && other.toLowerCase() === id.toLowerCase());
  }

  async #shareFolder(id: string, other: string): Promise<boolean> {
    if (id.toLowerCase() !== other.toLowerCase()) return false;
    const folders = join(this.#options.workDirectory, "sessions");
    return id === other || isSameFolder(join(folders, id), join(folders, other));
  }

  async #recoverOne(name: string, found: Set<string>): Promise<void> {
    const { workDirectory, reconnect } = this.#options;
    const directory = join(workDirectory, "sessions", name);
    const privateDirectory = join(directory, "ces");
    const written = await readSession(privateDirectory);
    if (written === undefined) return;
    const { record } = written;
    const id = record.sessionId;
    if (!(await this.#shareFolder(id, name)) || found.has(id)) return;
    found.add(id);
    await removeHalfUploads({ directory });
    const workspace = { cwd: record.cwd, cwdRequested: record.cwdRequested ?? undefined, privateDirectory, directory };
    const { kernelName, env, idleTimeoutMs } = record;
    const session = this.#build(workspace, { id, kernelName, env, idleTimeoutMs, createdAt: new Date(record.createdAt) }, written);
    const left = (record.kernel === null ? undefined : await reconnect?.(record.kernel)) ?? {};
    this.#sessions.set(id, session);
    await session.restore(written, left).catch(async (error: unknown) => {
      this.#sessions.delete(id);
      await session.close("What was written down of the session is damaged.");
      throw error;
    });
    this.#options.logger.info(
      { sessionId: id, kernelLives: left.kernel !== undefined, executions: written.executions.length },
      "session taken back",
    );
  }

  #noteDamage(id: string, error: unknown): void {
    this.#options.logger.error({ error, sessionId: id }, "part of what an earlier server wrote down could not be read");
  }

  #build(workspace: Workspace, identity: SessionIdentity, written?: WrittenSession): Session {
    const { output, maxQueue, executionTimeoutMs, streamRetentionMs, interruptGraceMs, envId, startKernel, reconnect, observer, logger } =
      this.#options;
    const onFault = (error: unknown): void => logger.error({ error, sessionId: identity.id }, "the session could not be written down");
    return new Session({
      ...identity,
      workspace,
      limits: { ...output, maxQueue, executionTimeoutMs },
      streamRetentionMs,
      interruptGraceMs,
      envId,
      startKernel: observer === undefined ? startKernel : observedStarter(startKernel, observer),
      admitKernel: () => this.#admit(0),
      ...(observer === undefined ? {} : { observer }),
      journal: new SessionJournal(workspace.privateDirectory, { isTemporary: reconnect === undefined, written, onFault }),
      resultMemory: this.#resultMemory,
      logger,
    });
  }

  /** @param pending Sessions that will have a kernel soon. */
  #admit(pending: number): void {
    if (this.runningCount + pending < this.#options.maxSessions) return;
    throw new AppError("session_limit", `The server holds ${this.#options.maxSessions} sessions, as many as it may.`, {
      retryAfterSeconds: 10,
    });
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new AppError("shutting_down", undefined, { retryAfterSeconds: 5 });
  }

  #mustTakeSessions(): void {
    this.#mustBeOpen();
    if (this.#drainsUntil !== undefined) {
      throw new AppError("shutting_down", "The server is about to end and takes no new sessions.", { retryAfterSeconds: 5 });
    }
  }

  async #removeFiles(workspace: Workspace, id: string): Promise<void> {
    const { removeFilesAfterMs } = this.#options;
    if (removeFilesAfterMs === null) return;
    if (removeFilesAfterMs === 0) return removeWorkspace(workspace);
    const remove = (): void => {
      this.#removals.delete(id);
      void this.#whileEnding(id, () => removeWorkspace(workspace));
    };
    this.#removals.set(id, startTimer(removeFilesAfterMs, remove));
  }

  /** The session is gone all the same where an end fails: that is ours to know. */
  async #whileEnding(id: string, end: () => Promise<void>): Promise<void> {
    const ending = end().catch((error: unknown) =>
      this.#options.logger.error({ error, sessionId: id }, "a session could not be ended cleanly"),
    );
    this.#ending.set(id, ending);
    await ending;
    if (this.#ending.get(id) === ending) this.#ending.delete(id);
  }

  #keepFiles(id: string): void {
    this.#removals.get(id)?.();
    this.#removals.delete(id);
  }
}
