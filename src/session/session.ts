/** A session: one kernel, one queue, its executions, plugins and variables. */
import type { Logger } from "pino";
import type { LoadPluginRequest, SessionInfo, TestPluginResponse } from "../api/index.ts";
import { AppError, messageOf } from "../errors.ts";
import type { OutputLimits } from "./output-stream.ts";
import { Execution, failedStart, type ExecutionEnd, type ExecutionRequest } from "./execution.ts";
import { ExecutionRunner } from "./execution-runner.ts";
import { IdempotencyKeys } from "./idempotency.ts";
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
  /** Executions to be ended while their kernel still starts. */
  readonly #cancelled = new WeakSet<Execution>();
  readonly #idempotencyKeys = new IdempotencyKeys();
  readonly #expiry: StreamExpiry;
  #runner: ExecutionRunner | undefined;
  #executionCount = 0;
  #lastActivity = new Date();
  #idleTimer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #pluginNotes: { name: string; reason: string }[] = [];

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.workspace = options.workspace;
    this.#options = options;
    this.#log = options.logger.child({ sessionId: options.id });
    this.#expiry = new StreamExpiry(options.streamRetentionMs);
    this.#queue = new WorkQueue(() => this.#armIdleTimer());
    this.#slot = new KernelSlot({
      start: () => this.#startKernel(),
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
    return {
      session_id: this.id,
      status: this.running ? "running" : "stopped",
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
   * @throws AppError `execution_exists`, `queue_limit`, `idempotency_mismatch`.
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

  /** Place in the queue, from 1; undefined unless queued. */
  positionOf(execution: Execution): number | undefined {
    const entry = this.#executions.get(execution.id);
    return entry === undefined ? undefined : this.#queue.position(entry.item);
  }

  /** Ends an execution: a queued one never starts, a running one gets a KeyboardInterrupt. @throws AppError `execution_done`. */
  interrupt(executionId: string): Execution {
    const execution = this.execution(executionId);
    if (execution.state === "done") throw new AppError("execution_done");
    this.touch();
    const entry = this.#executions.get(executionId);
    if (entry !== undefined && this.#queue.remove(entry.item, "The execution was cancelled before it started.")) return execution;
    if (this.#runner?.execution === execution) this.#runner.intervene("interrupted", "The execution was interrupted");
    else this.#cancelled.add(execution);
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
  unloadPlugin(name: string): Promise<void> {
    if (!this.#plugins.has(name)) throw new AppError("plugin_not_found");
    return this.#inTurn((kernel) => this.#plugins.unload(kernel, name));
  }

  /** @throws AppError `plugin_not_found`, `plugin_failed`. */
  testPlugin(name: string): Promise<TestPluginResponse> {
    if (!this.#plugins.has(name)) throw new AppError("plugin_not_found");
    return this.#inTurn((kernel) => this.#plugins.test(kernel, this.#runtimeSession(), name));
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
    this.#slot.takeStateLoss();
    await this.#slot.ensure();
  }

  /** Ends the session: everything queued or running gets its result, the kernel ends. Idempotent. */
  async close(why: string): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    this.#queue.clear(why);
    const running = this.#runner;
    running?.kill("interrupted", why.replace(/\.$/, ""));
    await Promise.all([this.#slot.close(END_GRACE_MS), running?.execution.done]);
    this.#expiry.close();
  }

  /** A client did something with the session. */
  touch(): void {
    this.#lastActivity = new Date();
  }

  #enqueue(request: NewExecution): Execution {
    const previous = this.#executions.get(request.executionId);
    if (previous !== undefined && previous.execution.state !== "done") throw new AppError("execution_exists");
    if (this.#queue.length >= this.#options.limits.maxQueue) throw new AppError("queue_limit", undefined, { retryAfterSeconds: 1 });
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
    const item: WorkItem = { run: () => this.#runExecution(execution), cancel: (why) => void execution.cancel(why) };
    previous?.execution.expireStream();
    this.#executions.delete(request.executionId);
    this.#executions.set(request.executionId, { execution, item });
    this.#queue.add(item);
    return execution;
  }

  async #runExecution(execution: Execution): Promise<void> {
    let runner: ExecutionRunner | undefined;
    try {
      const kernel = await this.#slot.ensure();
      if (this.#closed || this.#cancelled.has(execution)) return await execution.cancel("The execution was cancelled before it started.");
      runner = new ExecutionRunner(execution, kernel, this.#options.interruptGraceMs);
      this.#runner = runner;
      await execution.finish(await this.#runOn(kernel, runner));
    } catch (error) {
      if (this.#closed) await execution.cancel("The session was stopped before the execution started.");
      else await execution.finish(failedStart(this.#asAppError(error)));
    } finally {
      this.#runner = undefined;
      this.touch();
      this.#log.info({ executionId: execution.id, reason: execution.result?.reason }, "execution done");
      this.#expiry.add(() => {
        execution.expireStream();
        runner?.release();
      });
    }
  }

  async #runOn(kernel: LiveKernel, runner: ExecutionRunner): Promise<ExecutionEnd> {
    for (const { name, reason } of this.#pluginNotes.splice(0)) {
      runner.execution.recorder.addLog(["error", `Plugin-${name}`, `could not be loaded again: ${reason}`]);
    }
    const stateWasLost = this.#slot.takeStateLoss();
    const end = await runner.run(this.#runtimeSession());
    if (end.stateKept) {
      this.#served.add(kernel);
      return { ...end, stateKept: !stateWasLost };
    }
    await this.#slot.end(0, kernel);
    this.#slot.takeStateLoss();
    // The next execution should not wait for the start of the kernel that takes the lost one's place.
    if (this.#served.has(kernel)) this.#restartInBackground();
    return end;
  }

  #inTurn<T>(work: (kernel: LiveKernel) => Promise<T>): Promise<T> {
    this.#mustBeOpen();
    this.touch();
    return new Promise((resolve, reject) => {
      this.#queue.add({
        run: async () => {
          try {
            resolve(await work(await this.#slot.ensure()));
          } catch (error) {
            reject(error instanceof AppError ? error : this.#asAppError(error));
          }
          this.touch();
        },
        cancel: (why) => reject(new AppError("session_not_found", why)),
      });
    });
  }

  #startKernel(): Promise<LiveKernel> {
    this.#options.admitKernel();
    const { kernelName, env, workspace } = this.#options;
    return this.#options.startKernel({
      kernelName,
      sessionId: this.id,
      cwd: workspace.cwd,
      env,
      logFile: `${workspace.privateDirectory}/kernel.log`,
    });
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
    if (this.#closed) return;
    this.#slot.ensure().catch((error: unknown) => this.#log.error({ error }, "a fresh kernel could not be started"));
  }

  #runtimeSession(): RuntimeSession {
    return { session_id: this.id, env_id: this.#options.envId, session_variables: Object.fromEntries(this.#variables) };
  }

  #armIdleTimer(): void {
    const { idleTimeoutMs } = this.#options;
    clearTimeout(this.#idleTimer);
    if (idleTimeoutMs === null || this.#closed || !this.running) return;
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

  #mustBeOpen(): void {
    if (this.#closed) throw new AppError("session_not_found");
  }

  #asAppError(error: unknown): AppError {
    return error instanceof AppError ? error : new AppError("kernel_start_failed", messageOf(error), { cause: error });
  }
}
