/** One execution: its life from queued to done, its event log and its result. Nothing here depends on a client being there. */
import { bareResult, type EndReason, type ExecutionState, type ExecutionSummary, type VariableEntry } from "../api/index.ts";
import type { AppError } from "../errors.ts";
import type { GuestRequest } from "../kernel/client-options.ts";
import type { EventLog } from "./event-log.ts";
import type { Repeat } from "./idempotency.ts";
import { lastEntry, type ExecutionJournal, type Sums } from "./journal/journal-entry.ts";
import type { JournaledExecution } from "./journal/journal-scan.ts";
import { MemoryJournal } from "./journal/memory-journal.ts";
import { newEventLog } from "./journaled-events.ts";
import { OutputRecorder } from "./output-recorder.ts";
import type { OutputLimits } from "./output-stream.ts";
import type { StoredEvent, StoredResult } from "./result.ts";

/** What a client asked to be run. */
export interface ExecutionRequest {
  executionId: string;
  code: string;
  /** How long it may run; null: as long as it takes. */
  timeoutMs: number | null;
  allowInput: boolean;
  /** The request of another Jupyter client, in whose name the code is run. */
  guest?: GuestRequest;
}

/** Why an execution is being ended before its time. */
export interface Intervention {
  reason: Extract<EndReason, "interrupted" | "timed_out">;
  /** A sentence for the result's `error`. */
  why: string;
  /** Also where the code ended by its KeyboardInterrupt: nobody who reads the result has asked for that. */
  isTold: boolean;
  /** When it began: what the code has left from then on counts over the lives of servers. */
  at: string;
}

/** How an execution ended, as the one who ran it knows. */
export interface ExecutionEnd {
  reason: EndReason;
  /** Null only where the code completed. */
  error: string | null;
  stateKept: boolean;
  outputJson?: string;
  /** The value as Python writes it, where its JSON is not that text. */
  outputText?: string;
  variables?: VariableEntry[];
  /** For a server to come: this end has told of variables that were lost before it. */
  toldLoss?: boolean;
  /** For a server to come: the pid of the kernel that was lost with it. */
  lostKernel?: number;
}

/** What an execution is made with. */
export interface ExecutionOptions {
  request: ExecutionRequest;
  /** Counts the session's executions from 1; names plugin artifacts. */
  index: number;
  cwd: string;
  /** Now by default. */
  queuedAt?: Date;
  limits: OutputLimits;
  onFault: (error: unknown) => void;
  /** Keeps all that is known of it; in memory by default. */
  journal?: ExecutionJournal;
}

/** An execution. What it has said and what became of it is in its journal; the latest of that in memory, too. */
export class Execution {
  /** Its code apart, which may be long. */
  request: Omit<ExecutionRequest, "code">;
  readonly index: number;
  readonly log: EventLog<StoredEvent>;
  readonly journal: ExecutionJournal;
  readonly queuedAt: Date;
  /** Resolves when it is done; never rejects. */
  readonly done: Promise<void>;
  /** Resolves when the stream is no longer kept. */
  readonly streamExpired: Promise<void>;
  #resolveStreamExpired: () => void = () => {};
  /** Resolves when this server leaves it, before its end, to the next one. */
  readonly left: Promise<void>;
  readonly #recording: Pick<ExecutionOptions, "cwd" | "limits" | "onFault">;
  /** Undefined once it is no longer in memory. */
  #code: string | undefined;
  /** From the first thing that there is to record to the end of the stream. */
  #recorder: OutputRecorder | undefined;
  #startedAt: Date | undefined;
  #sentTo: number | undefined;
  #intervention: Intervention | undefined;
  #isLeft = false;
  #resolveLeft: () => void = () => {};
  #finishedAt: Date | undefined;
  #end: ExecutionEnd | undefined;
  /** All of the result can be told from memory. */
  #isWhole = true;
  #resolveDone: () => void = () => {};

  constructor(options: ExecutionOptions) {
    const { code, ...request } = options.request;
    this.request = request;
    this.#code = code;
    const { cwd, limits, onFault } = options;
    this.#recording = { cwd, limits, onFault };
    this.index = options.index;
    this.queuedAt = options.queuedAt ?? new Date();
    this.journal = options.journal ?? new MemoryJournal();
    this.log = newEventLog(this.journal);
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    this.left = new Promise((resolve) => {
      this.#resolveLeft = resolve;
    });
    this.streamExpired = new Promise((resolve) => {
      this.#resolveStreamExpired = resolve;
    });
  }

  get id(): string {
    return this.request.executionId;
  }

  /** Takes what the kernel sends. */
  get recorder(): OutputRecorder {
    this.#recorder ??= new OutputRecorder({ executionId: this.id, log: this.log, journal: this.journal, ...this.#recording });
    return this.#recorder;
  }

  /** The code, as long as it is in memory. */
  get code(): string | undefined {
    return this.#code;
  }

  /** The code, wherever it is. */
  async readCode(): Promise<string> {
    return this.#code ?? (await lastEntry(this.journal, "accepted"))?.request.code ?? "";
  }

  /** When the code was sent to the kernel. */
  get startedAt(): Date | undefined {
    return this.#startedAt;
  }

  /** The pid of the kernel that it was sent to. */
  get sentTo(): number | undefined {
    return this.#sentTo;
  }

  /** Why it is being ended, where it is. */
  get intervention(): Intervention | undefined {
    return this.#intervention;
  }

  /** When it ended; undefined until it is done. */
  get finishedAt(): Date | undefined {
    return this.#finishedAt;
  }

  /** How it ended; undefined until it is done. The parts of its result are left out where they are no longer in memory. */
  get end(): ExecutionEnd | undefined {
    return this.#end;
  }

  get state(): ExecutionState {
    if (this.#end !== undefined) return "done";
    return this.#startedAt === undefined ? "queued" : "running";
  }

  /**
   * The result as of now: text that threads and children write after the end is in it, too.
   * Undefined until done, and where it is not in memory: then the journal has it.
   */
  get result(): StoredResult | undefined {
    if (this.#end === undefined || !this.#isWhole || this.#recorder?.isWhole === false) return undefined;
    const { recorder } = this;
    const { stdout, stderr, logEntries: log, artifacts: artifact, truncated } = recorder;
    return { ...this.outline(this.#end), stdout: stdout.chunks, stderr: stderr.chunks, log, artifact, truncated };
  }

  /** A result without what was recorded. */
  outline(end: ExecutionEnd): StoredResult {
    const { output: _, ...bare } = bareResult({
      execution_id: this.id,
      error: end.error,
      reason: end.reason,
      state_kept: end.stateKept,
      started_at: this.#startedAt?.toISOString() ?? null,
      finished_at: this.#finishedAt?.toISOString() ?? "",
    });
    return { ...bare, outputJson: end.outputJson ?? '""', output_text: end.outputText ?? null, variables: end.variables ?? [] };
  }

  /** Which of what was recorded is in the result, and how. */
  async sums(): Promise<Sums> {
    if (this.#recorder !== undefined) return this.#recorder.sums;
    return (await lastEntry(this.journal, "sums")) ?? { truncated: null, shown: [], overflow: [] };
  }

  /** What it takes in memory, about. */
  get heldBytes(): number {
    const { outputJson = "", error, outputText = "" } = this.#end ?? {};
    const parts = [outputJson, outputText, error ?? "", this.#code ?? ""];
    return HELD_ALWAYS_BYTES + this.log.size + (this.#recorder?.heldBytes ?? 0) + parts.reduce((sum, { length }) => sum + length, 0);
  }

  /** Done, it leaves memory up to what lists show; all else is read from its journal. */
  leaveMemory(): void {
    if (this.#end === undefined) return;
    this.#isWhole = false;
    const { guest: _, ...request } = this.request;
    this.request = request;
    this.#code = undefined;
    this.#end = briefly(this.#end);
    this.#recorder?.release();
    this.log.shrink(0);
  }

  /** What lists show; `position` is the session's to say. */
  summary(position?: number): ExecutionSummary {
    return {
      execution_id: this.id,
      state: this.state,
      ...(position === undefined ? {} : { position }),
      queued_at: this.queuedAt.toISOString(),
      started_at: this.#startedAt?.toISOString() ?? null,
      finished_at: this.#finishedAt?.toISOString() ?? null,
    };
  }

  /** Writes down that it was accepted: from here on it is not forgotten. */
  noteAccepted(repeat: Repeat | null): void {
    const request = { ...this.request, code: this.#code ?? "" };
    this.journal.append({ kind: "accepted", index: this.index, queuedAt: this.queuedAt.toISOString(), repeat, request });
  }

  /** The code begins to run, as this request to the kernel of this pid. */
  start(messageId: string, kernel: number): void {
    this.#startedAt ??= new Date();
    this.#sentTo = kernel;
    this.journal.append({ kind: "sent", messageId, startedAt: this.#startedAt.toISOString(), kernel });
  }

  /** Writes down why it is being ended, before that is done: whoever sees the end can tell. The first reason stands. */
  intervene(intervention: Intervention): void {
    if (this.#intervention !== undefined) return;
    this.#intervention = intervention;
    this.journal.append({ kind: "intervened", ...intervention });
  }

  /** Leaves it as it is to the next server: from now on it has no end here, and who waits is told. */
  leave(): void {
    if (this.#end !== undefined) return;
    this.#isLeft = true;
    this.log.close();
    this.#resolveLeft();
  }

  /** Takes up what an earlier server wrote down. */
  async restore({ sent, intervened, end, lastEventId }: Omit<JournaledExecution, "accepted">): Promise<void> {
    if (sent !== undefined) this.#startedAt = new Date(sent.startedAt);
    this.#sentTo = sent?.kernel;
    this.#intervention = intervened;
    this.log.beginAfter(lastEventId);
    if (end === undefined) return sent === undefined ? undefined : this.recorder.restore();
    this.#settle(end.end, new Date(end.finishedAt));
    this.leaveMemory();
  }

  /** Forgets the execution, on disk too. */
  forget(): void {
    this.expireStream();
    this.journal.forget();
  }

  /** Ends the execution: once all output so far is stored, readers get `result` and `done`. Later calls do nothing. */
  async finish(end: ExecutionEnd): Promise<void> {
    if (this.#end !== undefined) return;
    await this.#recorder?.settled();
    this.#conclude(end);
  }

  /** Ends an execution that never started, at once. */
  cancel(why: string): void {
    this.#conclude({ reason: "cancelled", error: why, stateKept: true });
  }

  /** The time to keep the stream is over; the result stays, where it can be read when it is asked for. */
  expireStream(): void {
    this.endStream();
    this.leaveMemory();
    this.#recorder = undefined;
  }

  /** Nothing is recorded any more, and no reader comes; those that are here read on. */
  endStream(): void {
    this.#recorder?.journalSums();
    this.#recorder?.close();
    this.journal.seal();
    this.log.discard();
    this.#resolveStreamExpired();
  }

  #conclude(end: ExecutionEnd): void {
    if (this.#end !== undefined || this.#isLeft) return;
    const finishedAt = new Date();
    this.#recorder?.journalSums();
    this.journal.append({ kind: "end", end, finishedAt: finishedAt.toISOString() });
    this.#settle(end, finishedAt);
  }

  #settle(end: ExecutionEnd, finishedAt: Date): void {
    this.#end = end;
    this.#finishedAt = finishedAt;
    this.log.append({ event: "result" });
    this.log.append({ event: "done" });
    this.log.close();
    this.#resolveDone();
  }
}

/** What an execution takes beside all that varies. */
const HELD_ALWAYS_BYTES = 4096;

/** What is told of an end without its result. */
export function briefly({ reason, stateKept, toldLoss, lostKernel }: ExecutionEnd): ExecutionEnd {
  const told = { ...(toldLoss === undefined ? {} : { toldLoss }), ...(lostKernel === undefined ? {} : { lostKernel }) };
  return { reason, error: null, stateKept, ...told };
}

/** Why a queued execution could not be run at all, as its result says it. */
export function failedStart(error: AppError): ExecutionEnd {
  return { reason: "kernel_died", error: error.message, stateKept: false };
}

/** What is said of code that ran while the server was lost, where nobody can tell how it ended. */
export function lostExecution({ sentTo, intervention }: Execution, kernelLives: boolean): ExecutionEnd {
  if (kernelLives) {
    const error = "The server was restarted while the code ran; what its kernel wrote meanwhile is lost, and how it ended is not known.";
    return { reason: "executor_lost", error, stateKept: true };
  }
  const lost = { stateKept: false, ...(sentTo === undefined ? {} : { lostKernel: sentTo }) };
  if (intervention !== undefined) {
    const error = `${intervention.why}; its kernel was killed, so the session's variables are lost.`;
    return { ...lost, reason: intervention.reason, error };
  }
  const error = "The server was restarted while the code ran, and its kernel did not live to see it; the session's variables are lost.";
  return { ...lost, reason: "kernel_died", error };
}
