/** A few kernels, started and connected, wait for sessions: taking one is a bind, and the pool refills behind it. */
import type { Logger } from "pino";
import { AppError, messageOf } from "../errors.ts";
import { KernelDemand } from "./kernel-demand.ts";
import { executeMetadata } from "./runtime-protocol.ts";
import { Backoff } from "../provision/backoff.ts";
import type { KernelLaunchRequest } from "../provision/provisioner.ts";
import { walledEnvironment } from "../provision/sandbox/kernel-place.ts";
import type { KernelStarter, LiveKernel } from "./live-kernel.ts";
import type { WaitingPlaces } from "./waiting-places.ts";

/** What a pool is made with. */
export interface KernelPoolOptions {
  start: KernelStarter;
  /** Whether a session may get a waiting kernel. */
  suits: (request: KernelLaunchRequest) => boolean;
  /** Whether the waiting kernels are as one that is started now would be; asked at each claim. */
  isCurrent?: () => boolean;
  /** What waiting kernels are started with; a bind changes the rest. */
  blank: KernelLaunchRequest;
  /** Where each waiting kernel has folders of its own, since it is walled: what it is started with, instead of `blank`. */
  places?: WaitingPlaces | undefined;
  /** Most kernels that wait. */
  maxSize: number;
  logger: Logger;
}

/** Refilling costs CPU: it begins when the session that took a kernel has had its first moments. */
const REFILL_DELAY_MS = 100;
/** After failures in a row. */
const PATIENCE = { freeFailures: 0, firstMs: 5_000, mostMs: 300_000 };
const BIND_TIMEOUT_MS = 10_000;

/** What sessions often begin with. */
const WARM_UP_CELLS = ["1 + 1", "import numpy, pandas, matplotlib.pyplot", "print(end='')"];

/** Waiting kernels, sized by how many were taken of late. */
export class KernelPool {
  readonly #options: KernelPoolOptions;
  readonly #demand: KernelDemand;
  #waiting: LiveKernel[] = [];
  /** How often what waits was found to be out of date. */
  #renewals = 0;
  readonly #placeOf = new WeakMap<LiveKernel, KernelLaunchRequest>();
  readonly #backoff = new Backoff(PATIENCE);
  #refill: NodeJS.Timeout | undefined;
  /** Set only while more kernels wait than always may. */
  #shrink: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  #starting: Promise<void> | undefined;

  constructor(options: KernelPoolOptions) {
    this.#options = options;
    this.#demand = new KernelDemand(options.maxSize);
  }

  /** How many kernels wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Begins to fill the pool. */
  fill(): void {
    this.#scheduleRefill(0);
  }

  /** Gives a session a waiting kernel, or starts one where none waits or suits. */
  readonly acquire: KernelStarter = async (request, signal) => {
    const { suits, places } = this.#options;
    if (!suits(request) || (await places?.canTake(request)) === false) return this.#options.start(request, signal);
    this.#demand.note();
    if (this.#options.isCurrent?.() === false) this.renew();
    for (let kernel = this.#waiting.shift(); kernel !== undefined; kernel = this.#waiting.shift()) {
      this.#scheduleRefill(REFILL_DELAY_MS);
      try {
        if (kernel.exit === undefined) {
          await this.#bind(kernel, request);
          return kernel;
        }
      } catch (error) {
        this.#options.logger.warn({ error }, "a waiting kernel could not be bound to a session");
      }
      await this.#discard(kernel);
    }
    this.#scheduleRefill(REFILL_DELAY_MS);
    return this.#options.start(request, signal);
  };

  /** Ends the waiting kernels and starts others in their place: what they were forked from is out of date. */
  renew(): void {
    const stale = this.#waiting;
    this.#waiting = [];
    this.#renewals += 1;
    for (const kernel of stale) void this.#discard(kernel);
    this.#scheduleRefill(0);
  }

  /** Ends the waiting kernels for good. */
  async close(): Promise<void> {
    this.#closing.abort(new AppError("shutting_down"));
    clearTimeout(this.#refill);
    clearTimeout(this.#shrink);
    await this.#starting;
    await Promise.all(this.#waiting.splice(0).map((kernel) => this.#discard(kernel)));
  }

  #scheduleRefill(delayMs: number): void {
    if (this.#closing.signal.aborted || this.#options.maxSize === 0) return;
    // One that is to come soon stays: claims in quick succession must not put it off for good. Nor does one put off what follows a start that is
    // under way: the pool would never keep up with sessions that come without a pause.
    if (this.#refill !== undefined || this.#starting !== undefined) return;
    this.#refill = setTimeout(() => {
      this.#refill = undefined;
      this.#refillOne();
    }, delayMs);
    this.#refill.unref();
  }

  /** One at a time: sessions that need a kernel now come first. */
  #refillOne(): void {
    if (this.#closing.signal.aborted || this.#starting !== undefined || this.#waiting.length >= this.#demand.wanted) return;
    this.#starting = this.#startOne().then((nextMs) => {
      this.#starting = undefined;
      this.#scheduleRefill(nextMs);
    });
  }

  /** @returns when to look whether another is needed, in milliseconds. */
  async #startOne(): Promise<number> {
    const { signal } = this.#closing;
    const renewals = this.#renewals;
    let place: KernelLaunchRequest | undefined;
    try {
      place = await this.#options.places?.make();
      const blank = place ?? this.#options.blank;
      const kernel = await this.#options.start(blank, signal);
      if (place !== undefined) this.#placeOf.set(kernel, place);
      try {
        await warmUp(kernel, blank);
      } catch (error) {
        await this.#discard(kernel);
        throw error;
      }
      if (signal.aborted || renewals !== this.#renewals) await this.#discard(kernel);
      else this.#waiting.push(kernel);
      this.#scheduleShrink();
      this.#backoff.reset();
      return 0;
    } catch (error) {
      if (place !== undefined) await this.#options.places?.remove(place).catch(() => undefined);
      this.#backoff.noteFailure();
      const details = { reason: messageOf(error), failures: this.#backoff.failures, nextTryMs: this.#backoff.waitMs };
      if (!signal.aborted) this.#options.logger.warn(details, "no kernel could be started to wait in the pool");
      return this.#backoff.waitMs;
    }
  }

  /** Demand that is over leaves no more kernels than always wait, and then no timer. */
  #scheduleShrink(): void {
    const delayMs = this.#demand.msUntilBelow(this.#waiting.length);
    if (this.#shrink !== undefined || delayMs === undefined || this.#closing.signal.aborted) return;
    this.#shrink = setTimeout(() => {
      this.#shrink = undefined;
      for (const kernel of this.#waiting.splice(this.#demand.allowed)) void this.#discard(kernel);
      this.#scheduleShrink();
    }, delayMs);
    this.#shrink.unref();
  }

  /** A walled kernel takes its folders along. */
  async #bind(kernel: LiveKernel, request: KernelLaunchRequest): Promise<void> {
    const place = this.#placeOf.get(kernel);
    if (place === undefined) return bind(kernel, bindContent(request));
    await this.#options.places?.move(place, request);
    await bind(kernel, movedContent(request));
  }

  async #discard(kernel: LiveKernel): Promise<void> {
    await kernel.process.terminate(0);
    kernel.client.close();
    const place = this.#placeOf.get(kernel);
    if (place !== undefined) await this.#options.places?.remove(place).catch(() => undefined);
  }
}

/**
 * The first executions of a kernel copy most of the pages that it shares with its template; a session should not wait for that. Nor for the kernel to
 * forget them, which it does at a bind: so it is bound once to nobody.
 */
async function warmUp(kernel: LiveKernel, blank: KernelLaunchRequest): Promise<void> {
  if (!kernel.isOurs) return;
  const session = { session_id: "", env_id: "", session_variables: {} };
  for (const code of WARM_UP_CELLS) {
    const metadata = executeMetadata(session, "warm-up", 0);
    const execution = kernel.client.execute({ code, metadata, onMessage: () => undefined });
    await execution.done;
    execution.release();
  }
  // Its log is open already; behind a wall it could not open it again.
  await bind(kernel, { cwd: blank.cwd, env: blank.env });
}

/** Makes a waiting kernel the session's own: working directory, environment, log. */
async function bind(kernel: LiveKernel, content: Record<string, unknown>): Promise<void> {
  const reply = await kernel.client.request("taskweaver_bind_request", content, { timeoutMs: BIND_TIMEOUT_MS });
  if (reply.content["status"] !== "ok")
    throw new AppError("kernel_start_failed", `The kernel refused its session: ${String(reply.content["evalue"])}`);
}

function bindContent({ cwd, env, logFile }: KernelLaunchRequest): Record<string, unknown> {
  return { cwd, env, log_file: logFile };
}

/** Its log went along with it, and from where it is now the kernel could not open it. */
function movedContent({ cwd, env, temporaryDirectory = "" }: KernelLaunchRequest): Record<string, unknown> {
  return { cwd, env: { ...walledEnvironment(temporaryDirectory), ...env }, temporary: temporaryDirectory };
}
