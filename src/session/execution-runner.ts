/** Runs one execution on a kernel, and ends it: by itself, by an interrupt, or by the kernel's death. */
import { randomUUID } from "node:crypto";
import { messageOf } from "../errors.ts";
import type { KernelExecution } from "../kernel/execution.ts";
import type { MemoryKills } from "../provision/limits/limits.ts";
import type { Message } from "../kernel/messages.ts";
import type { Execution, ExecutionEnd, Intervention } from "./execution.ts";
import { outOfMemory, tellKilledChildren } from "./memory-shortage.ts";
import { describeExit, type LiveKernel } from "./live-kernel.ts";
import { plainTraceback } from "./output-recorder.ts";
import { askForTheRest, executeMetadata, parseExecuteReply, tellStored, type RuntimeSession } from "./runtime-protocol.ts";
import { startTimer } from "./timer.ts";

/** A kernel that does not say when it begins is interrupted all the same, after this long. */
const UNSEEN_BEGIN_MS = 500;

/** What the code answered to an earlier server's interrupt has this long to arrive, whatever of its grace is over. */
const ANSWER_MS = 1000;

/**
 * A kernel keeps what it sent until it is told that it is stored; one execution after the other tells that, a long one now and then: after so many messages,
 * or so many bytes. Past 16 MiB its code waits for that.
 */
const STORED_EVERY = { count: 500, bytes: 4 * 1024 * 1024 };

/** An execution at work on a kernel. */
export class ExecutionRunner {
  readonly execution: Execution;
  readonly #kernel: LiveKernel;
  readonly #graceMs: number;
  /** The kernel was killed for it. */
  #wasKilled = false;
  /** Cancel what is still to come. */
  readonly #timers: (() => void)[] = [];
  #kernelExecution: KernelExecution | undefined;
  #inputRequest: Message | undefined;
  /** Of code that was taken up: resolves when it is known what it asks, or that it asks nothing. */
  #recalled: Promise<void> | undefined;
  #onQuestion: () => void = () => undefined;
  /** The kernel has taken the code up: an interrupt before that would find nothing to interrupt and be lost. */
  #hasBegun = false;
  #hasEnded = false;
  #storedCount = 0;
  /** Of what was recorded since the kernel was told the last time. */
  #untoldBytes = 0;
  #isDetached = false;
  #killsBefore: MemoryKills | undefined;

  constructor(execution: Execution, kernel: LiveKernel, graceMs: number) {
    this.execution = execution;
    this.#kernel = kernel;
    this.#graceMs = graceMs;
  }

  /** Runs the code to its end, however it comes; never rejects. */
  async run(session: RuntimeSession): Promise<ExecutionEnd> {
    const { request } = this.execution;
    const { pid: kernel } = this.#kernel.process;
    this.#kernel.process.holdOutput?.();
    return this.#follow(false, () =>
      this.#kernel.client.execute({
        code: this.execution.code ?? "",
        allowStdin: request.allowInput,
        guest: request.guest,
        metadata: this.#kernel.isOurs ? executeMetadata(session, this.execution.id, this.execution.index) : {},
        // Written down before it is sent: code that has run must not look as if it never had been.
        onSend: (messageId) => this.execution.start(messageId, kernel),
        onMessage: (message) => this.#record(message),
        // Ours drops nothing.
        ...(this.#kernel.isOurs ? {} : { onLost: (count: number) => this.execution.recorder.noteLoss(count) }),
        receivedCount: () => this.execution.recorder.takenCount,
      }),
    );
  }

  /** Takes up code that an earlier server sent to this kernel, from where that server's journal ends; never rejects. */
  async resume(messageId: string): Promise<ExecutionEnd> {
    this.#hasBegun = true;
    const { client } = this.#kernel;
    return this.#follow(true, () => {
      const { recorder } = this.execution;
      const replay = { id: randomUUID(), onBegin: (first: number, isComplete: boolean) => recorder.goOnFrom(first, isComplete) };
      const kernelExecution = client.resume(messageId, replay, {
        onMessage: (message) => this.#record(message),
        receivedCount: () => recorder.takenCount,
      });
      this.#recalled = askForTheRest(client, messageId, recorder.recordedCount, replay.id).then(
        async (asks) => {
          if (asks && !this.#hasEnded && this.#inputRequest === undefined)
            await new Promise<void>((resolve) => (this.#onQuestion = resolve));
        },
        () => undefined,
      );
      return kernelExecution;
    });
  }

  /** @param isResumed What the code has had under an earlier server counts. */
  async #follow(isResumed: boolean, begin: () => KernelExecution): Promise<ExecutionEnd> {
    const { startedAt, request } = this.execution;
    const { timeoutMs } = request;
    if (timeoutMs !== null) {
      const why = `The execution timed out after ${timeoutMs / 1000} s`;
      const leftMs = isResumed && startedAt !== undefined ? timeoutMs - elapsedMs(startedAt) : timeoutMs;
      this.#after(Math.max(0, leftMs), () => this.intervene("timed_out", why));
    }
    try {
      const { process } = this.#kernel;
      this.#kernelExecution = begin();
      // What an earlier server began to end goes on being ended.
      const { intervention } = this.execution;
      if (intervention !== undefined) this.#climb(intervention, isResumed ? this.#graceLeftMs(intervention) : this.#graceMs);
      // Reading takes the system some time, in which the kernel works already; it does not run out of memory so soon.
      this.#killsBefore = process.memoryKills();
      const reply = await this.#kernelExecution.done;
      if (process.hasLimits === true) tellKilledChildren(this.execution.recorder, this.#killsBefore, process.memoryKills());
      return this.#endByReply(reply);
    } catch (error) {
      return await this.#endByDeath(error);
    } finally {
      this.#hasEnded = true;
      this.#onQuestion();
      for (const cancel of this.#timers) cancel();
    }
  }

  /** SIGINT, a grace period, SIGKILL. The first reason stands; later calls do nothing. */
  intervene(reason: Intervention["reason"], why: string, isTold = false): void {
    if (this.execution.intervention !== undefined || this.#hasEnded) return;
    const intervention = { reason, why, isTold, at: new Date().toISOString() };
    this.execution.intervene(intervention);
    this.#climb(intervention, this.#graceMs);
  }

  /** Ends the execution with its kernel, at once; false where it has ended already, and then it does nothing. */
  kill(reason: Intervention["reason"], why: string): boolean {
    if (this.#hasEnded) return false;
    this.execution.intervene({ reason, why, isTold: true, at: new Date().toISOString() });
    this.#wasKilled = true;
    this.#kernel.process.terminate(0).catch(() => undefined);
    return true;
  }

  /** Whether the kernel has shown that it runs the code. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Answers the code's `input()`; false where nothing asks. */
  async answerInput(text: string): Promise<boolean> {
    await this.#recalled;
    const request = this.#inputRequest;
    if (request === undefined) return false;
    this.#inputRequest = undefined;
    await this.#kernel.client.replyToInput(text, request);
    return true;
  }

  /** The server goes and leaves the code to the next one: whatever becomes of the connection, this is no end. */
  detach(): void {
    this.#isDetached = true;
    this.#hasEnded = true;
    for (const cancel of this.#timers) cancel();
  }

  /** Output of threads and children is no longer waited for. */
  release(): void {
    this.#kernelExecution?.release();
  }

  #climb({ reason, why }: Intervention, graceMs: number): void {
    if (this.#hasBegun) this.#interrupt();
    else this.#after(UNSEEN_BEGIN_MS, () => this.#interrupt());
    this.#after(graceMs, () => this.kill(reason, why));
  }

  /** The interrupt is sent once more: nobody knows whether the earlier server came to it. */
  #graceLeftMs({ at }: Intervention): number {
    return Math.max(Math.min(ANSWER_MS, this.#graceMs), this.#graceMs - elapsedMs(new Date(at)));
  }

  #interrupt(): void {
    if (this.#hasEnded || this.execution.intervention === undefined || this.#wasKilled) return;
    if (this.#kernel.process.interruptMode === "signal") this.#kernel.process.signal("SIGINT");
    else this.#kernel.client.interrupt().catch(() => undefined);
  }

  #record(message: Message): Promise<void> | undefined {
    // The next server hears it again, and would count it twice.
    if (this.#isDetached) return undefined;
    if (message.header.msg_type === "input_request") {
      this.#inputRequest = message;
      this.#onQuestion();
    }
    if (!this.#hasBegun && message.header.msg_type !== "status") {
      this.#hasBegun = true;
      this.#interrupt();
    }
    const recorded = this.execution.recorder.record(message);
    this.#untoldBytes += message.sizeBytes ?? 0;
    if (recorded !== undefined) return recorded.then(() => this.#tellStored());
    this.#tellStored();
    return undefined;
  }

  #tellStored(): void {
    const { recordedCount } = this.execution.recorder;
    const messageId = this.#kernelExecution?.messageId;
    if (!this.#kernel.isOurs || messageId === undefined) return;
    if (recordedCount - this.#storedCount < STORED_EVERY.count && this.#untoldBytes < STORED_EVERY.bytes) return;
    this.#storedCount = recordedCount;
    this.#untoldBytes = 0;
    tellStored(this.#kernel.client, messageId, recordedCount).catch(() => undefined);
  }

  #endByReply(reply: Message): ExecutionEnd {
    const parsed = parseExecuteReply(reply);
    const value = parsed ?? { outputJson: JSON.stringify(this.execution.recorder.lastValueText ?? ""), variables: [] };
    // The reply may have been on its way when the kernel was killed: the code ended as it says, and what it left behind is gone all the same.
    const known = { stateKept: !this.#wasKilled, ...value };
    const lost = this.#wasKilled ? "; its kernel was killed in that moment, so the session's variables are lost" : "";
    const { intervention } = this.execution;
    if (reply.content["status"] === "ok") {
      // Code that swallowed an interrupt and then finished has completed; past its time it has not.
      if (intervention?.reason !== "timed_out") return { ...known, reason: "completed", error: null };
      return {
        ...known,
        reason: "timed_out",
        error: `${intervention.why}; it went on in spite of the interrupt and ended by itself${lost}.`,
      };
    }
    if (reply.content["status"] === "aborted") return { ...known, reason: "cancelled", error: "The kernel dropped the execution." };
    const traceback = this.execution.recorder.errorText ?? plainTraceback(reply.content);
    if (intervention === undefined) return { ...known, reason: "error", error: traceback };
    const { reason, why, isTold } = intervention;
    if (reason === "timed_out") return { ...known, reason, error: `${why} and was interrupted${lost}.\n\n${traceback}` };
    return { ...known, reason, error: isTold || this.#wasKilled ? `${why}${lost}.\n\n${traceback}` : traceback };
  }

  async #endByDeath(error: unknown): Promise<ExecutionEnd> {
    if (this.#isDetached) return new Promise(() => undefined);
    const { intervention } = this.execution;
    if (intervention !== undefined && this.#wasKilled) {
      return {
        reason: intervention.reason,
        stateKept: false,
        error: `${intervention.why}; its kernel was killed, so the session's variables are lost.`,
      };
    }
    const { exit } = this.#kernel;
    const shortage = exit && outOfMemory(exit, this.#killsBefore, this.#kernel.process.memoryKills());
    if (shortage !== undefined) return shortage;
    if (exit !== undefined) {
      return {
        reason: "kernel_died",
        stateKept: false,
        error: `The kernel died (${describeExit(exit)}) while the code ran; the session's variables are lost.`,
      };
    }
    // The connection failed but the process may live: such a kernel is of no more use.
    await this.#kernel.process.terminate(0);
    return { reason: "kernel_died", stateKept: false, error: `The connection to the kernel failed: ${messageOf(error)}.` };
  }

  #after(milliseconds: number, action: () => void): void {
    this.#timers.push(startTimer(milliseconds, action));
  }
}

/** 0 where the clock was put back, or the time is not known. */
function elapsedMs(since: Date): number {
  return Math.max(0, Date.now() - since.getTime() || 0);
}
