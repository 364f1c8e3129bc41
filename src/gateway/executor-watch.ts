/** The watch over one address: who answers there, how it is, and when it is lost. */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Readiness } from "../api/index.ts";
import type { ExecutorAddress } from "./addresses.ts";
import { Executor } from "./executor.ts";
import { isUnsent, type ExecutorCalls } from "./executor-calls.ts";
import { joinSignals } from "./joined-signal.ts";
import { NoExecutorError, whyUnusable } from "./why-unusable.ts";

/** What a watch is made with. */
export interface ExecutorWatchOptions {
  calls: Pick<ExecutorCalls, "readiness" | "check" | "connects">;
  /** Without a connection for so long an executor is lost. */
  lostAfterMs: number;
  /** Between two questions; asked each time. */
  pollMs: (use: "idle" | "in-use" | "away") => number;
  /** @throws NoExecutorError where it is no executor to count. */
  mayCome: (instance: string, address: ExecutorAddress) => void;
  onCome: (executor: Executor) => void;
  onLost: (executor: Executor) => void;
  /** It begins to drain, or takes sessions again. */
  onDrain: (executor: Executor) => void;
  closed: AbortSignal;
  logger: Logger;
}

const POLL_TIMEOUT_MS = 1_500;
/** One that takes connections and does not answer is slow; what holds it up may well end. */
const SLOW_LOST_AFTER_FACTOR = 10;

/** Watches until it is told that nobody is expected there any more, and nobody is. */
export class ExecutorWatch {
  readonly address: ExecutorAddress;
  /** Whether the address is in the list now. */
  isListed = true;
  readonly #options: ExecutorWatchOptions;
  #executor: Executor | undefined;
  /** In milliseconds of a clock that never jumps. */
  #answeredAt = 0;
  #awaySince: number | undefined;
  /** Whether it took connections when it last did not answer. */
  #isSlow = false;
  /** What was last told of why it is no executor. */
  #toldWhy: string | undefined;
  #wake = new AbortController();

  constructor(address: ExecutorAddress, options: ExecutorWatchOptions) {
    this.address = address;
    this.#options = options;
  }

  /** Who is there; undefined where nobody is, or it is lost. */
  get executor(): Executor | undefined {
    return this.#executor?.state === "lost" ? undefined : this.#executor;
  }

  /** Asks again and again; ends when nobody is there or expected, or everything ends. */
  async run(): Promise<void> {
    const { pollMs, closed } = this.#options;
    while (!closed.aborted && (this.isListed || this.executor !== undefined)) {
      const { executor } = this;
      const use = executor?.state === "away" ? "away" : executor?.isInUse === true ? "in-use" : "idle";
      const { signal, release } = joinSignals(this.#wake.signal, closed);
      await pause(pollMs(use), undefined, { signal, ref: false }).catch(() => undefined);
      release();
      this.#wake = new AbortController();
      if (!closed.aborted) await this.poll();
    }
  }

  /** A request failed: who is there is asked at once how it is. */
  suspect(executor: Executor): void {
    if (executor !== this.executor) return;
    executor.setAway();
    this.#awaySince ??= performance.now();
    this.#wake.abort();
  }

  /** Asks now. */
  async poll(): Promise<void> {
    const { calls } = this.#options;
    const begunAt = performance.now();
    const deciding = this.#decideInTime(begunAt);
    try {
      const figures = await calls.readiness(this.address, POLL_TIMEOUT_MS);
      const instance = instanceIn(figures);
      this.#answeredAt = performance.now();
      this.#awaySince = undefined;
      if (this.executor?.instance === instance) this.#update(this.executor, figures);
      else await this.#welcome(instance, figures);
    } catch (error) {
      const { executor } = this;
      if (executor === undefined) return this.#tellWhy(whyUnusable(error));
      this.#awaySince ??= begunAt;
      executor.setAway();
      this.#isSlow = !isUnsent(error) && (await calls.connects(this.address));
      this.#decide();
    } finally {
      clearTimeout(deciding);
    }
  }

  /** It is gone from here, for a reason that others know. */
  lose(why: string): void {
    const { executor } = this;
    if (executor === undefined) return;
    this.#options.logger.warn({ executor: this.address.origin, instance: executor.instance, why }, "an executor is lost");
    executor.setLost();
    this.#options.onLost(executor);
  }

  #update(executor: Executor, figures: Readiness): void {
    const before = executor.state;
    executor.update(figures);
    if (before !== executor.state && (before === "draining" || executor.state === "draining")) this.#options.onDrain(executor);
  }

  async #welcome(instance: string, figures: Readiness): Promise<void> {
    this.lose("another server has its place");
    await this.#options.calls.check(this.address);
    this.#options.mayCome(instance, this.address);
    const executor = new Executor({ address: this.address, instance, figures, onUse: () => this.#refreshOld() });
    this.#executor = executor;
    this.#toldWhy = undefined;
    this.#options.logger.info({ executor: this.address.origin, instance }, "an executor is there");
    this.#options.onCome(executor);
  }

  /** What is in use is known to be there within a second, however rarely the idle are asked. */
  #refreshOld(): void {
    if (performance.now() - this.#answeredAt > this.#options.pollMs("in-use")) this.#wake.abort();
  }

  #tellWhy(why: string): void {
    if (this.#toldWhy === why) return;
    this.#toldWhy = why;
    this.#options.logger.warn({ executor: this.address.origin, why }, "an address is no executor");
  }

  /** A question may still be under way when an executor has been away for long enough. */
  #decideInTime(begunAt: number): NodeJS.Timeout | undefined {
    if (this.#awaySince === undefined) return undefined;
    const leftMs = this.#options.lostAfterMs - (begunAt - this.#awaySince);
    return setTimeout(() => this.#decide(), Math.max(0, leftMs)).unref();
  }

  #decide(): void {
    if (this.#awaySince === undefined) return;
    const limitMs = this.#options.lostAfterMs * (this.#isSlow ? SLOW_LOST_AFTER_FACTOR : 1);
    if (performance.now() - this.#awaySince >= limitMs) this.lose("it cannot be reached");
  }
}

/** @throws NoExecutorError for an answer that is a gateway's, or that of a server without claims. */
function instanceIn(figures: Readiness): string {
  if ("executors" in figures) throw new NoExecutorError("it is a gateway, which has no sessions of its own");
  if (figures.instance === undefined) throw new NoExecutorError("it is a server of a version that knows no gateway: update it");
  return figures.instance;
}
