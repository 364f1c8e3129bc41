/** The one kernel of a session: started when needed, noticed when it dies, replaced by a fresh one. */
import { AppError } from "../errors.ts";
import { Backoff } from "../provision/backoff.ts";
import { memoryOf } from "./kernel-memory.ts";
import { describeExit, type LiveKernel } from "./live-kernel.ts";
import { startTimer } from "./timer.ts";

const MAX_START_ATTEMPTS = 5;

/** A kernel that cannot live is not started for each execution of a queue, nor forever for those who only listen. */
const PATIENCE = { freeFailures: 2, firstMs: 1_000, mostMs: 60_000 };

/** What the slot asks of its session. */
export interface KernelSlotOptions {
  /** Throws where no further kernel may run; asked once for each start. */
  admit: () => void;
  start: (signal: AbortSignal) => Promise<LiveKernel>;
  /** Runs on each fresh kernel before anything else: plugins are loaded again. */
  prepare: (kernel: LiveKernel) => Promise<void>;
  /** The kernel is gone without having been asked to go. */
  onDeath: (kernel: LiveKernel) => void;
}

/** Holds at most one kernel. */
export class KernelSlot {
  readonly #options: KernelSlotOptions;
  readonly #closing = new AbortController();
  /** Kernels that were told to end. */
  readonly #ended = new WeakSet<LiveKernel>();
  /** Set before it is prepared; {@link ensure} gives it to nobody until then. */
  #current: LiveKernel | undefined;
  /** Told to end, and not yet gone. */
  readonly #ending = new Set<LiveKernel>();
  #starting: Promise<LiveKernel> | undefined;
  /** When the current kernel came here; one that was taken over has been here for longer than this server. */
  #startedAt: Date | undefined;
  /** Kernels that have run something. */
  readonly #served = new WeakSet<LiveKernel>();
  readonly #backoff = new Backoff(PATIENCE);
  #lastFailure = "";
  #cancelStart: () => void = () => undefined;
  #lossAt: Date | undefined;

  constructor(options: KernelSlotOptions) {
    this.#options = options;
  }

  /** The kernel that is here, prepared or not. */
  get current(): LiveKernel | undefined {
    return this.#current;
  }

  /** Whether a kernel runs or is about to. */
  get running(): boolean {
    return this.#current !== undefined || this.#starting !== undefined;
  }

  /** The kernel that {@link ensure} gives without a wait; undefined where it would have to start one. */
  get ready(): LiveKernel | undefined {
    return this.#starting === undefined ? this.#current : undefined;
  }

  /** What session info says of a prepared kernel; variables of an execution that ended before its start are gone. */
  get info(): { memory_bytes?: number; kernel_started_at?: string } {
    const { ready } = this;
    if (ready === undefined) return {};
    return {
      ...memoryOf(ready.process.pid),
      ...(this.#startedAt === undefined ? {} : { kernel_started_at: this.#startedAt.toISOString() }),
    };
  }

  /** When the variables were lost, while no execution was there to tell it; until one has. */
  get lossAt(): Date | undefined {
    return this.#lossAt;
  }

  /** Whether this kernel was told to end, rather than having died. */
  hasEnded(kernel: LiveKernel): boolean {
    return this.#ended.has(kernel);
  }

  /** The kernel has run something: whatever becomes of it, it can live. */
  noteServed(kernel: LiveKernel): void {
    this.#served.add(kernel);
    this.#backoff.reset();
  }

  /** Whether it has run anything. */
  hasServed(kernel: LiveKernel): boolean {
    return this.#served.has(kernel);
  }

  /** Somebody asks for a start by name: failures so far keep it waiting no longer. */
  retryNow(): void {
    this.#backoff.reset();
  }

  /** Starts a kernel that nobody waits for; after failures in a row not at once, and only where it is wanted then. */
  startInBackground(isWanted: () => boolean, onStarted: () => void, onFault: (error: unknown) => void): void {
    this.#cancelStart();
    const start = (): void => {
      this.ensure().then(onStarted, (error: unknown) => {
        // That a start is given up with its session is no fault.
        if (this.#closing.signal.aborted) return;
        onFault(error);
        if (this.#backoff.waitMs > 0) this.startInBackground(isWanted, onStarted, onFault);
      });
    };
    const { waitMs } = this.#backoff;
    if (waitMs === 0) start();
    else this.#cancelStart = startTimer(waitMs, () => (isWanted() ? start() : undefined));
  }

  /**
   * A result has told of this loss. Until it has the loss stays, and is written down: a server that goes meanwhile leaves the telling to the next one.
   * A later loss is another's to tell.
   */
  noteTold(lossAt: Date | undefined): void {
    if (this.#lossAt === lossAt) this.#lossAt = undefined;
  }

  /** True once after the variables were lost while no execution was there to tell it. */
  takeStateLoss(): boolean {
    const lost = this.#lossAt !== undefined;
    this.#lossAt = undefined;
    return lost;
  }

  /**
   * The live and prepared kernel; a fresh one where there is none. Concurrent callers get the same one.
   * @throws AppError `kernel_start_failed` at once where so many starts have failed that the next one has to wait.
   */
  ensure(): Promise<LiveKernel> {
    if (this.#starting !== undefined) return this.#starting;
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    this.#starting = this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Takes over a kernel that runs and is prepared. */
  adopt(kernel: LiveKernel): void {
    this.#current = kernel;
    this.#startedAt = undefined;
    this.#watch(kernel);
  }

  /** The kernel that was here is gone, and nobody was told. */
  noteLostState(at: Date = new Date()): void {
    this.#lossAt = at;
  }

  /** Lets the kernel go on for another server; nothing is ended here. */
  release(): void {
    const kernel = this.#current;
    this.#current = undefined;
    this.#cancelStart();
    this.#closing.abort(stopped());
    kernel?.client.close();
  }

  /**
   * Ends the kernel; the next {@link ensure} starts a fresh one. One that is just being started is fresh and stays.
   * @param only Ends this one, and none where another has taken its place.
   */
  async end(graceMs: number, only?: LiveKernel): Promise<void> {
    const kernel = this.#current;
    if (kernel === undefined || this.#starting !== undefined || (only !== undefined && kernel !== only)) return;
    await this.#dispose(kernel, graceMs);
  }

  /** Ends the kernel for good, one that is just being started too. */
  async close(graceMs: number): Promise<void> {
    this.#cancelStart();
    this.#closing.abort(stopped());
    const starting = this.#starting;
    // What it is loading would be waited for.
    if (starting !== undefined) await this.#current?.process.terminate(0);
    await starting?.catch(() => undefined);
    if (this.#current !== undefined) await this.#dispose(this.#current, graceMs);
  }

  /** Kills what there is, without a wait: the server's process ends in this moment. */
  kill(): void {
    for (const kernel of [this.#current, ...this.#ending]) kernel?.process.signal("SIGKILL");
  }

  async #start(): Promise<LiveKernel> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    this.#options.admit();
    if (this.#backoff.waitMs > 0) throw this.#notYet(this.#backoff.waitMs);
    try {
      return await this.#tryToStart(signal);
    } catch (error) {
      if (!signal.aborted && error instanceof AppError && error.code === "kernel_start_failed") this.#noteFailure(error.message);
      throw error;
    }
  }

  async #tryToStart(signal: AbortSignal): Promise<LiveKernel> {
    for (let attempt = 1; attempt <= MAX_START_ATTEMPTS; attempt += 1) {
      const kernel = await this.#options.start(signal);
      this.#current = kernel;
      this.#startedAt = new Date();
      this.#watch(kernel);
      try {
        if (!signal.aborted) await this.#options.prepare(kernel);
      } catch (error) {
        await this.#dispose(kernel, 0);
        throw error;
      }
      if (signal.aborted) {
        await this.#dispose(kernel, 0);
        throw stopped();
      }
      // What a plugin did while it was loaded again may have ended the kernel; such a plugin is left out the next time.
      if (kernel.exit === undefined) return kernel;
    }
    throw new AppError("kernel_start_failed");
  }

  #watch(kernel: LiveKernel): void {
    void kernel.process.exited.then((exit) => {
      if (this.#current !== kernel) return;
      const hasLived = this.#served.has(kernel) || this.#starting !== undefined;
      if (!hasLived) this.#noteFailure(`The kernel died (${describeExit(exit)}) before it had run anything.`);
      this.#forget(kernel);
      kernel.process.terminate(0).catch(() => undefined);
      this.#options.onDeath(kernel);
    });
  }

  #noteFailure(what: string): void {
    this.#lastFailure = what;
    this.#backoff.noteFailure();
  }

  #notYet(waitMs: number): AppError {
    const seconds = Math.ceil(waitMs / 1000);
    const message = `${this.#lastFailure} That was failure ${this.#backoff.failures} in a row: it is not started again for ${seconds} s, unless the session is restarted.`;
    return new AppError("kernel_start_failed", message, { retryAfterSeconds: seconds });
  }

  #forget(kernel: LiveKernel): void {
    if (this.#current !== kernel) return;
    this.#current = undefined;
    // Where it was not yet handed out it held nothing.
    if (this.#starting === undefined) this.#lossAt = new Date();
  }

  async #dispose(kernel: LiveKernel, graceMs: number): Promise<void> {
    this.#ended.add(kernel);
    this.#ending.add(kernel);
    this.#forget(kernel);
    await kernel.process.terminate(graceMs);
    this.#ending.delete(kernel);
    kernel.client.close();
  }
}

function stopped(): AppError {
  return new AppError("kernel_start_failed", "The session was stopped while its kernel started.");
}
