/** The one kernel of a session: started when needed, noticed when it dies, replaced by a fresh one. */
import { AppError } from "../errors.ts";
import type { LiveKernel } from "./live-kernel.ts";

const MAX_START_ATTEMPTS = 5;

/** What the slot asks of its session. */
export interface KernelSlotOptions {
  start: () => Promise<LiveKernel>;
  /** Runs on each fresh kernel before anything else: plugins are loaded again. */
  prepare: (kernel: LiveKernel) => Promise<void>;
  /** The kernel is gone without having been asked to go. */
  onDeath: (kernel: LiveKernel) => void;
}

/** Holds at most one kernel. */
export class KernelSlot {
  readonly #options: KernelSlotOptions;
  #current: LiveKernel | undefined;
  #starting: Promise<LiveKernel> | undefined;
  #stateLossUntold = false;
  #closed = false;

  constructor(options: KernelSlotOptions) {
    this.#options = options;
  }

  get current(): LiveKernel | undefined {
    return this.#current;
  }

  /** Whether a kernel runs or is about to. */
  get running(): boolean {
    return this.#current !== undefined || this.#starting !== undefined;
  }

  /** True once after the variables were lost while no execution was there to tell it. */
  takeStateLoss(): boolean {
    const lost = this.#stateLossUntold;
    this.#stateLossUntold = false;
    return lost;
  }

  /** The live kernel; a fresh one where there is none. Concurrent callers get the same one. */
  ensure(): Promise<LiveKernel> {
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /**
   * Ends the kernel; the next {@link ensure} starts a fresh one.
   * @param only Ends this one, and none where another has taken its place.
   */
  async end(graceMs: number, only?: LiveKernel): Promise<void> {
    if (only !== undefined && this.#current !== only) return;
    const kernel = this.#current ?? (await this.#starting?.catch(() => undefined));
    if (kernel === undefined) return;
    this.#forget(kernel);
    await dispose(kernel, graceMs);
  }

  /** Ends the kernel for good. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    await this.end(graceMs);
  }

  async #start(): Promise<LiveKernel> {
    for (let attempt = 1; attempt <= MAX_START_ATTEMPTS; attempt += 1) {
      const kernel = await this.#options.start();
      if (this.#closed) {
        await dispose(kernel, 0);
        break;
      }
      this.#watch(kernel);
      this.#current = kernel;
      await this.#options.prepare(kernel);
      // What a plugin did while it was loaded again may have ended the kernel; such a plugin is left out the next time.
      if (kernel.exit === undefined) return kernel;
    }
    throw new AppError("kernel_start_failed", this.#closed ? "The session was stopped while its kernel started." : undefined);
  }

  #watch(kernel: LiveKernel): void {
    void kernel.process.exited.then(() => {
      if (this.#current !== kernel) return;
      this.#forget(kernel);
      kernel.process.terminate(0).catch(() => undefined);
      this.#options.onDeath(kernel);
    });
  }

  #forget(kernel: LiveKernel): void {
    if (this.#current !== kernel) return;
    this.#current = undefined;
    this.#stateLossUntold = true;
  }
}

async function dispose(kernel: LiveKernel, graceMs: number): Promise<void> {
  await kernel.process.terminate(graceMs);
  kernel.client.close();
}
