/** The executions of one session: made, found, kept as long as the session, written down for a server to come. */
import { AppError } from "../errors.ts";
import { Execution, type ExecutionRequest } from "./execution.ts";
import { IdempotencyKeys, type Repeat } from "./idempotency.ts";
import type { ExecutionJournal } from "./journal/journal-entry.ts";
import type { JournaledExecution } from "./journal/journal-scan.ts";
import type { OutputLimits } from "./output-stream.ts";
import type { ResultMemory } from "./result-memory.ts";
import { timesOf, type SessionObserver } from "./session-observer.ts";
import { StreamExpiry } from "./stream-expiry.ts";

/** What a list is made with. */
export interface ExecutionListOptions {
  sessionId: string;
  cwd: string;
  limits: OutputLimits;
  streamRetentionMs: number;
  /** The journal of an execution by its index; by default in memory. */
  journal?: ((index: number) => ExecutionJournal) | undefined;
  /** Holds the latest results of the server; by default none leaves memory before its stream expires. */
  resultMemory?: ResultMemory | undefined;
  /** Told of each execution that is done, once. */
  observer?: SessionObserver | undefined;
  onFault: (error: unknown, executionId: string) => void;
}

/** All executions of a session. */
export class ExecutionList {
  readonly #options: ExecutionListOptions;
  readonly #executions = new Map<string, Execution>();
  readonly #keys = new IdempotencyKeys();
  readonly #expiry: StreamExpiry;
  #count = 0;
  #isClosed = false;

  constructor(options: ExecutionListOptions) {
    this.#options = options;
    this.#expiry = new StreamExpiry(options.streamRetentionMs);
  }

  /** How many there have been. */
  get count(): number {
    return this.#count;
  }

  /** All of them, newest first. */
  all(): Execution[] {
    return [...this.#executions.values()].reverse();
  }

  /** @throws AppError `execution_not_found`. */
  get(id: string): Execution {
    const execution = this.#executions.get(id);
    if (execution === undefined) throw new AppError("execution_not_found");
    return execution;
  }

  /** The execution that a repeated request made the first time; undefined for a new one. @throws AppError `idempotency_mismatch`. */
  repeated(repeat: Repeat): Execution | undefined {
    return this.#keys.find(repeat);
  }

  /** Makes an execution; it is written down before this returns. @throws AppError `execution_exists` while one of that id is not done. */
  create(request: ExecutionRequest, repeat?: Repeat): Execution {
    this.mustBeFree(request.executionId);
    this.#count += 1;
    const execution = this.#build(request, this.#count, new Date());
    execution.noteAccepted(repeat ?? null);
    if (repeat !== undefined) this.#keys.add(repeat, execution);
    this.#keep(execution);
    void execution.done.then(() => this.#tellObserver(execution));
    return execution;
  }

  /** @throws AppError `execution_exists`. */
  mustBeFree(id: string): void {
    const previous = this.#executions.get(id);
    if (previous !== undefined && previous.state !== "done") throw new AppError("execution_exists");
  }

  /** Takes up what an earlier server wrote down; returns all of it, in the order of acceptance. */
  async restore(written: JournaledExecution[]): Promise<Execution[]> {
    for (const one of written) {
      try {
        await this.#restoreOne(one);
      } catch (error) {
        // What was damaged on disk costs the one execution that it tells of.
        this.#options.onFault(error, one.accepted.request.executionId);
      }
    }
    return this.all().reverse();
  }

  /** Leaves what is not done to the next server. */
  leave(): void {
    for (const execution of this.#executions.values()) execution.leave();
  }

  /** The session is over: streams end. */
  close(): void {
    this.#isClosed = true;
    this.#expiry.close();
    for (const execution of this.#executions.values()) this.#options.resultMemory?.remove(execution);
  }

  async #restoreOne({ accepted, ...lines }: JournaledExecution): Promise<void> {
    const execution = this.#build(accepted.request, accepted.index, new Date(accepted.queuedAt));
    this.#count = Math.max(this.#count, accepted.index);
    await execution.restore(lines);
    if (accepted.repeat !== null) this.#keys.add(accepted.repeat, execution);
    this.#keep(execution);
  }

  #build(request: ExecutionRequest, index: number, queuedAt: Date): Execution {
    const { cwd, limits, journal, onFault } = this.#options;
    return new Execution({
      request,
      index,
      queuedAt,
      cwd,
      limits,
      ...(journal === undefined ? {} : { journal: journal(index) }),
      onFault: (error) => onFault(error, request.executionId),
    });
  }

  #tellObserver(execution: Execution): void {
    const times = timesOf(this.#options.sessionId, execution);
    if (times !== undefined) this.#options.observer?.executionEnded(times);
  }

  #keep(execution: Execution): void {
    const previous = this.#executions.get(execution.id);
    // The one it replaces keeps its stream for those who are reading it.
    if (previous !== undefined) void previous.streamExpired.then(() => previous.forget());
    this.#executions.delete(execution.id);
    this.#executions.set(execution.id, execution);
    void execution.done.then(() => {
      this.#options.resultMemory?.add(execution);
      // Who still reads an execution of a session that is over has no journal to read for long.
      this.#expiry.add(() => (this.#isClosed ? execution.endStream() : execution.expireStream()));
    });
  }
}
