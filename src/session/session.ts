/** A session: one kernel, one queue, its executions, plugins and variables. */
import type { Logger } from "pino";
import type { CompleteRequest, CompleteResponse, LoadPluginRequest, SessionInfo, TestPluginResponse } from "../api/index.ts";
import { AppError, messageOf } from "../errors.ts";
import { completeAt } from "./completion.ts";
import type { OutputLimits } from "./output-stream.ts";
import { Execution, failedStart, type ExecutionEnd, type ExecutionRequest } from "./execution.ts";
import { ExecutionRunner } from "./execution-runner.ts";
import { IdempotencyKeys } from "./idempotency.ts";
import { residentBytes } from "./kernel-memory.ts";
import { KernelSlot } from "./kernel-slot.ts";
import type { KernelStarter, LiveKernel } from "./live-kernel.ts";
import { PluginSet } from "./plugin-set.ts";
import type { RuntimeSession } from "./runtime-protocol.ts";
import { StreamExpiry } from "./stream-expiry.ts";
import { WorkQueue, type WorkItem } from "./work-queue.ts";
import type { Workspace } from "./workspace.ts";

/** What a session is made with. */
export interface SessionOptions {
  id: string;
  kernelName: string;
  env: Record<string, string>;
  workspace: Workspace;
  /** Null: never. */
  idleTimeoutMs: number | null;
  limits: OutputLimits & { maxQueue: number; executionTimeoutMs: number | null };
  streamRetentionMs: number;
  interruptGraceMs: number;
  envId: string;
  startKernel: KernelStarter;
  /** Throws where the server may not hold one more running kernel. */
  admitKernel: () => void;
  logger: Logger;
}

/** What a client may leave out of an execution. */
export type NewExecution = Omit<ExecutionRequest, "timeoutMs"> & { timeoutMs: number | null | undefined };

const END_GRACE_MS = 1000;
const NEVER_STARTED = "The execution was cancelled before it started.";

/** The heart: whatever happens to its kernel, a session keeps its id, plugins, variables, executions and files. */
export class Session {
  readonly id: string;
  readonly workspace: Workspace;
  readonly createdAt = new Date();
  readonly #options: SessionOptions;
  readonly #log: Logger;
  readonly #slot: KernelSlot;
  readonly #queue: WorkQueue;
  readonly #plugins = new PluginSet();
  readonly #variables = new Map<string, string>();
  readonly #executions = new Map<string, { execution: Execution; item: WorkItem }>();
  /** Kernels that have run something: only such a one is replaced at once when it dies, so that one that cannot live is not started forever. */
  readonly #served = new WeakSet<LiveKernel>();
  readonly #idempotencyKeys = new IdempotencyKeys();
  readonly #expiry: StreamExpiry;
  /** The execution that has left the queue and waits for its kernel. */
  #startingExecution: Execution | undefined;
  #runner: ExecutionRunner | undefined;
  #executionCount = 0;
  #lastActivity = new Date();
  #idleTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  readonly #pluginNotes: { name: string; reason: string }[] = [];

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.workspace = options.workspace;
    this.#options = options;
    this.#log = options.logger.child({ sessionId: options.id });
    this.#expiry = new StreamExpiry(options.streamRetentionMs);
    this.#queue = new WorkQueue(() => this.#armIdleTimer());
    this.#slot = new KernelSlot({
      admit: () => this.#options.admitKernel(),
      start: (signal) => this.#startKernel(signal),
      prepare: (kernel) => this.#prepareKernel(kernel),
      onDeath: (kernel) => this.#replaceDeadKernel(kernel),
    });
  }

  /** Starts the first kernel. @throws AppError `kernel_start_failed`, `unknown_kernel`. */
  async open(): Promise<void> {
    await this.#slot.ensure();
    this.#armIdleTimer();
  }

  /** Whether a kernel runs (or starts): such sessions count toward the server's limit. */
  get running(): boolean {
    return this.#slot.running;
  }

  /** Whether an execution or plugin work runs or waits. */
  get busy(): boolean {
    return !this.#queue.idle;
  }

  /** Resolves when nothing runs or waits. */
  idle(): Promise<void> {
    return this.#queue.untilIdle();
  }

  get info(): SessionInfo {
    const memory = this.#slot.ready && residentBytes(this.#slot.ready.process.pid);
    return {
      session_id: this.id,
      status: this.running ? "running" : "stopped",
      busy: this.busy,
      ...(memory === undefined ? {} : { memory_bytes: memory }),
      created_at: this.createdAt.toISOString(),
      last_activity: this.#lastActivity.toISOString(),
      loaded_plugins: this.#plugins.names,
      execution_count: this.#executionCount,
      cwd: this.workspace.cwd,
      kernel: this.#options.kernelName,
      idle_timeout: (this.#options.idleTimeoutMs ?? 0) / 1000,
    };
  }

  /**
   * Queues code; returns at once.
   * @param repeat A request with the same key and the same body returns the first one's execution and runs nothing.
   * @throws AppError `execution_exists`, `queue_limit`, `session_limit` where a stopped session may have no kernel now, `idempotency_mismatch`.
   */
  execute(request: NewExecution, repeat?: { key: string; body: unknown }): Execution {
    this.#mustBeOpen();
    if (repeat === undefined) return this.#enqueue(request);
    return this.#idempotencyKeys.once(repeat.key, repeat.body, () => this.#enqueue(request));
  }
  /** @throws AppError `execution_not_found`. */
  execution(executionId: string): Execution {
    const entry = this.#executions.get(executionId);
    if (entry === undefined) throw new AppError("execution_not_found");
    return entry.execution;
  }

  /** All executions, newest first. */
  executions(): Execution[] {
    return [...this.#executions.values()].map((entry) => entry.execution).reverse();
  }

  /** Place among what is queued, from 1; undefined unless queued. One whose kernel still starts is the first. */
  positionOf(execution: Execution): number | undefined {
    if (execution.state !== "queued") return undefined;
    if (execution === this.#startingExecution) return 1;
    const entry = this.#executions.get(execution.id);
    const position = entry === undefined ? undefined : this.#queue.position(entry.item);
    return position === undefined ? undefined : position + (this.#startingExecution?.state === "queued" ? 1 : 0);
  }

  /**
   * Ends an execution: a queued one is done at once and never starts, a running one gets a KeyboardInterrupt.
   * @throws AppError `execution_not_found`, `execution_done`.
   */
  interrupt(executionId: string): Execution {
    const execution = this.execution(executionId);
    if (execution.state === "done") throw new AppError("execution_done");
    this.touch();
    if (this.#runner?.execution === execution) {
      this.#runner.intervene("interrupted", "The execution was interrupted");
      return execution;
    }
    const entry = this.#executions.get(executionId);
    if (entry !== undefined) this.#queue.remove(entry.item, NEVER_STARTED);
    execution.cancel(NEVER_STARTED);
    return execution;
  }

  /** Answers a running `input()`. @throws AppError `no_input_requested`. */
  async answerInput(executionId: string, text: string): Promise<void> {
    const execution = this.execution(executionId);
    this.touch();
    const sent = this.#runner?.execution === execution && (await this.#runner.answerInput(text));
    if (!sent) throw new AppError("no_input_requested");
  }

  /** Loads a plugin when its turn comes. @throws AppError `plugin_failed`, `unsupported_by_kernel`. */
  loadPlugin(request: LoadPluginRequest): Promise<void> {
    return this.#inTurn((kernel) => this.#plugins.load(kernel, this.#runtimeSession(), request));
  }

  /** @throws AppError `plugin_not_found`. */
  async unloadPlugin(name: string): Promise<void> {
    this.#expectPlugin(name);
    return this.#inTurn((kernel) => this.#plugins.unload(kernel, name));
  }

  /** @throws AppError `plugin_not_found`, `plugin_failed`. */
  async testPlugin(name: string): Promise<TestPluginResponse> {
    this.#expectPlugin(name);
    return this.#inTurn((kernel) => this.#plugins.test(kernel, this.#runtimeSession(), name));
  }

  /** What could stand at the cursor; nothing where the kernel is busy or not running. */
  complete(request: CompleteRequest): Promise<CompleteResponse> {
    this.touch();
    return completeAt(this.busy ? undefined : this.#slot.ready, request);
  }

  /** Merges session variables; they hold from the next execution on. */
  updateVariables(variables: Record<string, string>): void {
    this.touch();
    for (const [name, value] of Object.entries(variables)) this.#variables.set(name, value);
  }

  /** Gives the session a fresh kernel; what runs ends as interrupted, what waits runs on the fresh one. */
  async restart(): Promise<void> {
    this.#mustBeOpen();
    this.touch();
    this.#runner?.kill("interrupted", "The session was restarted");
    await this.#slot.end(END_GRACE_MS);
    this.#mustBeOpen();
    this.#slot.takeStateLoss();
    await this.#slot.ensure();
    this.#armIdleTimer();
  }

  /** Ends the session: everything queued or running gets its result, the kernel ends. Idempotent. */
  close(why: string): Promise<void> {
    this.#closed ??= this.#close(why);
    return this.#closed;
  }

  /** A client did something with the session. */
  touch(): void {
    this.#lastActivity = new Date();
  }

  async #close(why: string): Promise<void> {
    clearTimeout(this.#idleTimer);
    this.#queue.clear(why);
    this.#startingExecution?.cancel(why);
    const running = this.#runner;
    running?.kill("interrupted", why.replace(/\.$/, ""));
    await Promise.all([this.#slot.close(END_GRACE_MS), running?.execution.done]);
    this.#expiry.close();
  }

  #enqueue(request: NewExecution): Execution {
    const previous = this.#executions.get(request.executionId);
    if (previous !== undefined && previous.execution.state !== "done") throw new AppError("execution_exists");
    this.#expectRoom();
    if (!this.running && !this.busy) this.#options.admitKernel();
    this.touch();
    this.#executionCount += 1;
    const timeoutMs = request.timeoutMs === undefined ? this.#options.limits.executionTimeoutMs : request.timeoutMs;
    const execution = new Execution({
      request: { ...request, timeoutMs },
      index: this.#executionCount,
      cwd: this.workspace.cwd,
      limits: this.#options.limits,
      onFault: (error) => this.#log.error({ error, executionId: request.executionId }, "part of an execution's output could not be kept"),
    });
    const item: WorkItem = { run: () => this.#runExecution(execution), cancel: (why) => execution.cancel(why) };
    // The one it replaces keeps its stream for those who are reading it.
    this.#executions.delete(request.executionId);
    this.#executions.set(request.executionId, { execution, item });
    void execution.done.then(() => this.#expiry.add(() => execution.expireStream()));
    this.#queue.add(item);
    return execution;
  }

  async #runExecution(execution: Execution): Promise<void> {
    this.#startingExecution = execution;
    try {
      const kernel = await this.#slot.ensure();
      if (execution.state === "done") return;
      const runner = new ExecutionRunner(execution, kernel, this.#options.interruptGraceMs);
      this.#runner = runner;
      this.#startingExecution = undefined;
      void execution.streamExpired.then(() => runner.release());
      await execution.finish(await this.#runOn(kernel, runner));
    } catch (error) {
      await execution.finish(failedStart(this.#asAppError(error)));
    } finally {
      this.#startingExecution = undefined;
      this.#runner = undefined;
      this.touch();
      this.#log.info({ executionId: execution.id, reason: execution.result?.reason }, "execution done");
    }
  }

  async #runOn(kernel: LiveKernel, runner: ExecutionRunner): Promise<ExecutionEnd> {
    for (const { name, reason } of this.#pluginNotes.splice(0)) {
      runner.execution.recorder.addLog(["error", `Plugin-${name}`, `could not be loaded again: ${reason}`]);
    }
    const stateWasLost = this.#slot.takeStateLoss();
    this.#served.add(kernel);
    const end = await runner.run(this.#runtimeSession());
    if (end.stateKept) return { ...end, stateKept: !stateWasLost };
    await this.#slot.end(0, kernel);
    this.#slot.takeStateLoss();
    // The next execution should not wait for the start of the kernel that takes the lost one's place.
    this.#restartInBackground();
    return end;
  }

  async #inTurn<T>(work: (kernel: LiveKernel) => Promise<T>): Promise<T> {
    this.#mustBeOpen();
    this.#expectRoom();
    this.touch();
    return new Promise((resolve, reject) => {
      this.#queue.add({
        run: () => this.#runWork(work).then(resolve, reject),
        cancel: (why) => reject(new AppError("session_not_found", why)),
      });
    });
  }

  async #runWork<T>(work: (kernel: LiveKernel) => Promise<T>): Promise<T> {
    let kernel: LiveKernel | undefined;
    try {
      kernel = await this.#slot.ensure();
      return await work(kernel);
    } catch (error) {
      if (this.#closed !== undefined) throw new AppError("session_not_found", "The session was stopped.", { cause: error });
      const wasRestarted = kernel !== undefined && this.#slot.hasEnded(kernel);
      if (wasRestarted) throw new AppError("plugin_failed", "The session was restarted meanwhile; try again.", { cause: error });
      throw this.#asAppError(error);
    } finally {
      this.touch();
    }
  }

  #startKernel(signal: AbortSignal): Promise<LiveKernel> {
    const { kernelName, env, workspace, startKernel } = this.#options;
    const logFile = `${workspace.privateDirectory}/kernel.log`;
    return startKernel({ kernelName, sessionId: this.id, cwd: workspace.cwd, env, logFile }, signal);
  }

  async #prepareKernel(kernel: LiveKernel): Promise<void> {
    this.#log.info({ pid: kernel.process.pid }, "kernel started");
    if (!kernel.isOurs) return;
    this.#pluginNotes.push(...(await this.#plugins.reload(kernel, this.#runtimeSession())));
  }

  #replaceDeadKernel(kernel: LiveKernel): void {
    this.#log.warn({ pid: kernel.process.pid, ...kernel.exit }, "kernel died");
    if (this.#served.has(kernel)) this.#restartInBackground();
  }

  #restartInBackground(): void {
    if (this.#closed !== undefined) return;
    this.#slot.ensure().then(
      () => this.#armIdleTimer(),
      (error: unknown) => this.#log.error({ error }, "a fresh kernel could not be started"),
    );
  }

  #runtimeSession(): RuntimeSession {
    return { session_id: this.id, env_id: this.#options.envId, session_variables: Object.fromEntries(this.#variables) };
  }

  #armIdleTimer(): void {
    const { idleTimeoutMs } = this.#options;
    clearTimeout(this.#idleTimer);
    if (idleTimeoutMs === null || this.#closed !== undefined || !this.running) return;
    const waitMs = this.#lastActivity.getTime() + idleTimeoutMs - Date.now();
    this.#idleTimer = setTimeout(() => this.#endIfIdle(), Math.min(Math.max(0, waitMs), 2 ** 31 - 1));
    this.#idleTimer.unref();
  }

  #endIfIdle(): void {
    const { idleTimeoutMs } = this.#options;
    if (this.busy || idleTimeoutMs === null) return;
    if (Date.now() - this.#lastActivity.getTime() < idleTimeoutMs) return this.#armIdleTimer();
    this.#log.info("idle for too long: the kernel ends");
    this.#slot.end(END_GRACE_MS).catch((error: unknown) => this.#log.error({ error }, "an idle kernel could not be ended"));
  }

  /** A plugin may also be one whose load is still on its way. */
  #expectPlugin(name: string): void {
    if (!this.busy && !this.#plugins.has(name)) throw new AppError("plugin_not_found");
  }

  #expectRoom(): void {
    if (this.#queue.length >= this.#options.limits.maxQueue) throw new AppError("queue_limit", undefined, { retryAfterSeconds: 1 });
  }

  #mustBeOpen(): void {
    if (this.#closed !== undefined) throw new AppError("session_not_found");
  }

  #asAppError(error: unknown): AppError {
    return error instanceof AppError ? error : new AppError("kernel_start_failed", messageOf(error), { cause: error });
  }
}
