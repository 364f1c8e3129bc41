/** A session: one kernel, one queue, its executions, plugins and variables. */
import type { Logger } from "pino";
import type { CompleteRequest, CompleteResponse, LoadPluginRequest, SessionInfo, TestPluginResponse } from "../api/index.ts";
import { AppError } from "../errors.ts";
import { completeAt } from "./completion.ts";
import { failedStart, type Execution, type ExecutionEnd } from "./execution.ts";
import { ExecutionRunner } from "./execution-runner.ts";
import { ExecutionList } from "./execution-list.ts";
import { GuestClients } from "./guest-clients.ts";
import { repeatOf } from "./idempotency.ts";
import type { WrittenSession } from "./journal/session-journal.ts";
import { IdleWatch } from "./idle-watch.ts";
import { KernelSlot } from "./kernel-slot.ts";
import { asAppError, workOn } from "./kernel-work.ts";
import type { FoundKernel, LiveKernel } from "./live-kernel.ts";
import { launchRequestOf, type NewExecution, type ResumedExecution, type SessionOptions } from "./session-options.ts";
import { SessionState } from "./session-state.ts";
import { takeBack } from "./take-back.ts";
import { WorkQueue, type WorkItem } from "./work-queue.ts";
import type { Workspace } from "./workspace.ts";

const END_GRACE_MS = 1000;
const NEVER_STARTED = "The execution was cancelled before it started.";

/** The heart: whatever happens to its kernel, a session keeps its id, plugins, variables, executions and files. */
export class Session {
  readonly id: string;
  readonly workspace: Workspace;
  /** Other Jupyter clients of the kernel. */
  readonly guests = new GuestClients(this, { kernel: () => this.#slot.ensure(), inTurn: (work) => this.#inTurn(work) });
  readonly createdAt: Date;
  readonly #options: SessionOptions;
  readonly #log: Logger;
  readonly #slot: KernelSlot;
  readonly #queue: WorkQueue;
  readonly #state: SessionState;
  readonly #idle: IdleWatch;
  readonly #executions: ExecutionList;
  readonly #items = new WeakMap<Execution, WorkItem>();
  /** The execution that has left the queue and waits for its kernel. */
  #startingExecution: Execution | undefined;
  #runner: ExecutionRunner | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.workspace = options.workspace;
    this.createdAt = options.createdAt ?? new Date();
    this.#options = options;
    const { workspace, journal } = options;
    this.#log = options.logger.child({ sessionId: options.id });
    this.#executions = new ExecutionList({
      sessionId: options.id,
      ...options,
      cwd: workspace.cwd,
      journal: journal && ((index) => journal.execution(index)),
      onFault: (error, executionId) => this.#log.error({ error, executionId }, "part of an execution could not be kept"),
    });
    this.#state = new SessionState({ ...options, createdAt: this.createdAt }, journal);
    this.#idle = new IdleWatch({
      timeoutMs: options.idleTimeoutMs,
      isIdle: () => this.running && !this.busy,
      onIdle: () => void this.endKernel("idle for too long"),
    });
    this.#queue = new WorkQueue(() => this.#idle.arm());
    this.#slot = new KernelSlot({
      admit: () => this.#options.admitKernel(),
      start: (signal) => this.#options.startKernel(launchRequestOf(this.#options), signal),
      prepare: (kernel) => this.#prepareKernel(kernel),
      onDeath: (kernel) => this.#replaceDeadKernel(kernel),
    });
  }

  /** Starts the first kernel. @throws AppError `kernel_start_failed`, `unknown_kernel`. */
  async open(): Promise<void> {
    const beganAt = new Date();
    await this.#slot.ensure();
    this.#options.observer?.sessionStarted({ sessionId: this.id, beganAt, finishedAt: new Date() });
    this.#idle.arm();
  }

  /** Executions and plugin work that wait for their turn. */
  get queuedCount(): number {
    return this.#queue.length;
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
  readonly idle = (): Promise<void> => this.#queue.untilIdle();

  get info(): SessionInfo {
    return {
      ...this.#state.info,
      status: this.running ? "running" : "stopped",
      busy: this.busy,
      ...this.#slot.info,
      last_activity: this.#idle.lastActivity.toISOString(),
      execution_count: this.#executions.count,
    };
  }

  /**
   * Queues code; returns at once.
   * @param repeated A request with the same key and the same body returns the first one's execution and runs nothing.
   * @throws AppError `execution_exists`, `queue_limit`, `session_limit` where a stopped session may have no kernel now, `idempotency_mismatch`.
   */
  execute(request: NewExecution, repeated?: { key: string; body: unknown }): Execution {
    this.#mustBeOpen();
    const repeat = repeated && repeatOf(repeated.key, repeated.body);
    const known = repeat === undefined ? undefined : this.#executions.repeated(repeat);
    if (known !== undefined) return known;
    this.#executions.mustBeFree(request.executionId);
    this.#expectRoom();
    if (!this.running && !this.busy) this.#options.admitKernel();
    this.touch();
    const timeoutMs = request.timeoutMs === undefined ? this.#options.limits.executionTimeoutMs : request.timeoutMs;
    const execution = this.#executions.create({ ...request, timeoutMs }, repeat);
    this.#enqueue(execution);
    return execution;
  }

  /** @throws AppError `execution_not_found`. */
  execution(executionId: string): Execution {
    return this.#executions.get(executionId);
  }

  /** All executions, newest first. */
  executions(): Execution[] {
    return this.#executions.all();
  }

  /** Place among what is queued, from 1; undefined unless queued. One whose kernel still starts is the first. */
  positionOf(execution: Execution): number | undefined {
    if (execution.state !== "queued") return undefined;
    if (execution === this.#startingExecution) return 1;
    const item = this.#items.get(execution);
    const position = item && this.#queue.position(item);
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
    const item = this.#items.get(execution);
    if (item !== undefined) this.#queue.remove(item, NEVER_STARTED);
    execution.cancel(NEVER_STARTED);
    return execution;
  }

  /** The id of the execution that runs now. */
  get currentExecution(): string | undefined {
    return this.#runner?.execution.id;
  }

  /** Ends the code that runs, or its kernel with all that it has started; the result tells why, or where nothing runs the next one's log. */
  endFor(why: string, what: "execution" | "kernel"): void {
    if (what === "execution") return this.#runner?.intervene("interrupted", why, true);
    if (this.#runner?.kill("interrupted", why) === true) return;
    this.#state.notice(`The kernel was ended: ${why}.`);
    void this.endKernel(why, 0);
  }

  /** Answers a running `input()`. @throws AppError `no_input_requested`. */
  async answerInput(executionId: string, text: string): Promise<void> {
    const execution = this.execution(executionId);
    this.touch();
    const sent = this.#runner?.execution === execution && (await this.#runner.answerInput(text));
    if (!sent) throw new AppError("no_input_requested");
  }

  /** Loads a plugin when its turn comes. @throws AppError `plugin_failed`, `unsupported_by_kernel`. */
  async loadPlugin(request: LoadPluginRequest): Promise<void> {
    await this.#inTurn((kernel) => this.#state.plugins.load(kernel, this.#state.runtimeSession, request));
    this.#save();
  }

  /** @throws AppError `plugin_not_found`. */
  async unloadPlugin(name: string): Promise<void> {
    this.#expectPlugin(name);
    await this.#inTurn((kernel) => this.#state.plugins.unload(kernel, name));
    this.#save();
  }

  /** @throws AppError `plugin_not_found`, `plugin_failed`. */
  async testPlugin(name: string): Promise<TestPluginResponse> {
    this.#expectPlugin(name);
    return this.#inTurn((kernel) => this.#state.plugins.test(kernel, this.#state.runtimeSession, name));
  }

  /** What could stand at the cursor; nothing where the kernel is busy or not running. */
  complete(request: CompleteRequest): Promise<CompleteResponse> {
    this.touch();
    return completeAt(this.busy ? undefined : this.#slot.ready, request);
  }

  /** Merges session variables; they hold from the next execution on. */
  async updateVariables(variables: Record<string, string>): Promise<void> {
    this.touch();
    if (this.#state.mergeVariables(variables)) this.#save();
  }

  /** Gives the session a fresh kernel; what runs ends as interrupted, what waits runs on the fresh one. */
  async restart(): Promise<void> {
    this.#mustBeOpen();
    this.touch();
    this.#runner?.kill("interrupted", "The session was restarted");
    await this.#slot.end(END_GRACE_MS);
    this.#mustBeOpen();
    this.#slot.takeStateLoss();
    this.#slot.retryNow();
    await this.#slot.ensure();
    this.#idle.arm();
  }

  /** Ends the kernel, with what runs, and keeps all else: the next execution has a fresh kernel. Never rejects. */
  async endKernel(why: string, graceMs: number = END_GRACE_MS): Promise<void> {
    this.#log.info({ why }, "the kernel ends");
    this.guests.end();
    const running = this.#runner;
    running?.kill("interrupted", `The kernel was ended: ${why}`);
    const ended = this.#slot.end(graceMs).catch((error: unknown) => this.#log.error({ error }, "a kernel could not be ended"));
    await Promise.all([ended, running?.execution.done]);
    this.#save();
  }

  /**
   * Takes up a session of an earlier server: what was queued is queued again, what ran is followed to its end.
   * @param found What has become of its kernel.
   */
  async restore(written: WrittenSession, found: FoundKernel): Promise<void> {
    this.#state.restore(written.record);
    await takeBack(written.record, found, {
      slot: this.#slot,
      executions: await this.#executions.restore(written.executions),
      enqueue: (execution, resumed) => this.#enqueue(execution, resumed),
      onAdopted: (adopted) => this.guests.kernelStarted(adopted),
    });
    this.#save();
    this.#idle.arm();
  }

  /** Leaves the kernel and all that is written down to a server to come; clients' streams end. */
  async release(): Promise<void> {
    this.#closed ??= Promise.resolve();
    this.#idle.close();
    // All of it before anything else can happen: what begins or ends from here on would be told here and known nowhere else.
    this.#queue.stop();
    this.#executions.leave();
    this.#runner?.detach();
    this.#save();
    this.#state.release();
    this.#slot.release();
  }

  /** Ends the session: everything queued or running gets its result, the kernel ends. Idempotent. */
  close(why: string): Promise<void> {
    return (this.#closed ??= this.#close(why));
  }

  /** The process of its kernel; undefined where it has none now. */
  readonly kernelPid = (): number | undefined => this.#slot.current?.process.pid;

  /** Kills the kernel, without a wait: the server's process ends in this moment. */
  readonly killKernel = (): void => this.#slot.kill();

  /** A client did something with the session. */
  touch(): void {
    this.#idle.touch();
  }

  async #close(why: string): Promise<void> {
    this.#idle.close();
    this.guests.end();
    this.#queue.clear(why);
    this.#startingExecution?.cancel(why);
    const running = this.#runner;
    running?.kill("interrupted", why.replace(/\.$/, ""));
    await Promise.all([this.#slot.close(END_GRACE_MS), running?.execution.done]);
    this.#executions.close();
    await this.#state.forget();
  }

  /** @param resumed Where an earlier server sent it to its kernel already. */
  #enqueue(execution: Execution, resumed?: ResumedExecution): void {
    const item: WorkItem = { run: () => this.#runExecution(execution, resumed), cancel: (why) => execution.cancel(why) };
    this.#items.set(execution, item);
    this.#queue.add(item);
  }

  async #runExecution(execution: Execution, resumed: ResumedExecution | undefined): Promise<void> {
    this.#startingExecution = execution;
    try {
      const kernel = resumed?.kernel ?? (await this.#slot.ensure());
      if (execution.state === "done" || this.#closed !== undefined) return;
      const runner = new ExecutionRunner(execution, kernel, this.#options.interruptGraceMs);
      this.#runner = runner;
      this.#startingExecution = undefined;
      void execution.streamExpired.then(() => runner.release());
      const { lossAt } = this.#slot;
      await execution.finish(await this.#runOn(kernel, runner, resumed));
      if (execution.end !== undefined) this.#slot.noteTold(lossAt);
    } catch (error) {
      await execution.finish(failedStart(asAppError(error)));
    } finally {
      this.#startingExecution = undefined;
      this.#runner = undefined;
      this.touch();
      this.#log.debug({ executionId: execution.id, reason: execution.end?.reason }, "execution done");
    }
  }

  async #runOn(kernel: LiveKernel, runner: ExecutionRunner, resumed: ResumedExecution | undefined): Promise<ExecutionEnd> {
    for (const entry of this.#state.takeNotices()) runner.execution.recorder.addLog(entry);
    const toldLoss = this.#slot.lossAt !== undefined;
    const end = await (resumed === undefined ? runner.run(this.#state.runtimeSession) : runner.resume(resumed.messageId));
    if (runner.hasBegun) this.#slot.noteServed(kernel);
    if (end.stateKept) return { ...end, stateKept: !toldLoss, toldLoss };
    const wasToldToEnd = this.#slot.hasEnded(kernel);
    await this.#slot.end(0, kernel);
    this.#slot.takeStateLoss();
    // The next execution should not wait for the start of the kernel that takes the lost one's place.
    if (!wasToldToEnd) this.#restartInBackground();
    return { ...end, toldLoss, lostKernel: kernel.process.pid };
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

  #runWork<T>(work: (kernel: LiveKernel) => Promise<T>): Promise<T> {
    return workOn(this.#slot, work, () => this.#closed !== undefined).finally(() => this.touch());
  }

  async #prepareKernel(kernel: LiveKernel): Promise<void> {
    this.#log.info({ pid: kernel.process.pid }, "kernel started");
    this.guests.kernelStarted(kernel);
    if (kernel.isOurs && this.#state.plugins.names.length > 0) {
      this.#save();
      await this.#state.reloadPlugins(kernel);
    }
    this.#save(kernel);
  }

  #replaceDeadKernel(kernel: LiveKernel): void {
    this.#log.warn({ pid: kernel.process.pid, ...kernel.exit }, "kernel died");
    this.guests.kernelDied();
    // One that has run nothing may not be able to live: it is started again when it is needed.
    if (this.#slot.hasServed(kernel) || this.guests.count > 0) this.#restartInBackground();
  }

  #restartInBackground(): void {
    if (this.#closed !== undefined) return;
    const isWanted = (): boolean => this.guests.count > 0;
    const onFault = (error: unknown): void => this.#log.error({ error }, "a fresh kernel could not be started");
    this.#slot.startInBackground(isWanted, () => this.#idle.arm(), onFault);
  }

  #save(prepared = this.#slot.ready): void {
    this.#state.save(this.#slot, prepared);
  }

  /** A plugin may also be one whose load is still on its way. */
  #expectPlugin(name: string): void {
    if (!this.busy && !this.#state.plugins.has(name)) throw new AppError("plugin_not_found");
  }

  #expectRoom(): void {
    if (this.#queue.length >= this.#options.limits.maxQueue) throw new AppError("queue_limit", undefined, { retryAfterSeconds: 1 });
  }

  #mustBeOpen(): void {
    if (this.#closed !== undefined) throw new AppError("session_not_found");
  }
}
