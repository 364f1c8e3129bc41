/** The watch over one address: who answers there, how it is, and when it is lost. */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Readiness } from "../api/index.ts";
import type { ExecutorAddress } from "./addresses.ts";
import { Executor } from "./executor.ts";
import { isUnsent, type ExecutorCalls } from "./executor-calls.ts";
import { joinSignals } from "./joined-signal.ts";
import type { UnseenSessions } from "./unseen-sessions.ts";
import { Waiters } from "./waiters.ts";
import { NoExecutorError, whyUnusable } from "./why-unusable.ts";

/** What a watch is made with. */
export interface ExecutorWatchOptions {
  calls: Pick<ExecutorCalls, "readiness" | "check" | "connects">;
  /** Without a connection for so long an executor is lost. */
  lostAfterMs: number;
  /** One for all watches of a gateway. */
  unseen?: UnseenSessions;
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
  /** Whether it took connections when it last did not answer; undefined as long as that was not tried. */
  #isSlow: boolean | undefined;
  /** When it last took one without an answer. */
  #connectedAt = 0;
  #deciding: NodeJS.Timeout | undefined;
  #pollBegunAt = 0;
  #isPolling = false;
  /** Whether nobody has answered or refused yet, in a time in which one that is only slow would have. */
  #isUndecided = true;
  readonly #begunAt = performance.now();
  readonly #deciders = new Waiters();
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

  /** Whether it is not known yet who is there, if anybody: the first answer is late. */
  get isUndecided(): boolean {
    return this.#isUndecided && this.isListed;
  }

  /** Resolves when it is known who is there, or that nobody is; at once where it is. */
  async decided(signal?: AbortSignal): Promise<void> {
    if (this.isUndecided) await this.#deciders.woken(signal);
  }

  /** Asks again and again; ends when nobody is there or expected, or everything ends. */
  async run(): Promise<void> {
    const { pollMs, closed } = this.#options;
    while (!closed.aborted && (this.isListed || this.executor !== undefined)) {
      const { executor } = this;
      const use = executor?.state === "away" || this.isUndecided ? "away" : executor?.isInUse === true ? "in-use" : "idle";
      const { signal, release } = joinSignals(this.#wake.signal, closed);
      // From one question to the next, however long an answer takes: else what is slow would be known the later to be lost.
      const everyMs = pollMs(use);
      const leftMs = this.#pollBegunAt + everyMs - performance.now();
      await pause(Math.max(everyMs / 10, leftMs), undefined, { signal, ref: false }).catch(() => undefined);
      release();
      this.#wake = new AbortController();
      if (!closed.aborted) await this.poll();
    }
    this.#setDecided();
  }

  /** A request failed: who is there is asked at once how it is. */
  suspect(executor: Executor): void {
    if (executor !== this.executor) return;
    // A question that waits for its answer tells since when there is none.
    this.#setAway(executor, this.#isPolling ? this.#pollBegunAt : performance.now());
    this.#wake.abort();
  }

  /** Asks now. */
  async poll(): Promise<void> {
    const { calls } = this.#options;
    const begunAt = performance.now();
    this.#pollBegunAt = begunAt;
    this.#isPolling = true;
    try {
      const figures = await calls.readiness(this.address, POLL_TIMEOUT_MS);
      const instance = instanceIn(figures);
      this.#answeredAt = performance.now();
      this.#awaySince = undefined;
      if (this.executor?.instance === instance) this.#update(this.executor, figures);
      else await this.#welcome(instance, figures);
      this.#setDecided();
    } catch (error) {
      const { executor } = this;
      if (executor === undefined) {
        if (!isLate(error) || begunAt - this.#begunAt > this.#options.lostAfterMs) this.#setDecided();
        return this.#tellWhy(whyUnusable(error));
      }
      this.#setAway(executor, begunAt);
      this.#isSlow = !isUnsent(error) && (await calls.connects(this.address));
      if (this.#isSlow) this.#connectedAt = performance.now();
      this.#decide();
    } finally {
      this.#isPolling = false;
    }
  }

  /** It is gone from here, for a reason that others know. */
  lose(why: string): void {
    const { executor } = this;
    if (executor === undefined) return;
    this.#options.logger.warn({ executor: this.address.origin, instance: executor.instance, why }, "an executor is lost");
    this.#awaySince = undefined;
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
    const { unseen } = this.#options;
    const onUse = (): void => this.#refreshOld();
    const executor = new Executor({ address: this.address, instance, figures, onUse, ...(unseen === undefined ? {} : { unseen }) });
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

  #setDecided(): void {
    this.#isUndecided = false;
    this.#deciders.wake();
  }

  #setAway(executor: Executor, since: number): void {
    executor.setAway();
    if (this.#awaySince !== undefined) return;
    this.#awaySince = since;
    this.#isSlow = undefined;
    this.#decide();
  }

  /** Loses who has been away for long enough, or looks again when that is so: a question may be under way then. */
  #decide(): void {
    clearTimeout(this.#deciding);
    if (this.#awaySince === undefined || this.#isSlow === undefined) return;
    const since = this.#isSlow ? this.#awaySince : Math.max(this.#awaySince, this.#connectedAt);
    const limitMs = this.#options.lostAfterMs * (this.#isSlow ? SLOW_LOST_AFTER_FACTOR : 1);
    const leftMs = since + limitMs - performance.now();
    if (leftMs <= 0) return this.lose("it cannot be reached");
    // Timers know whole milliseconds only, and cut off the rest.
    this.#deciding = setTimeout(() => this.#decide(), Math.ceil(leftMs)).unref();
  }
}

/** It said neither yes nor no in the time that it had. */
function isLate(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

/** @throws NoExecutorError for an answer that is a gateway's, or that of a server without claims. */
function instanceIn(figures: Readiness): string {
  if ("executors" in figures) throw new NoExecutorError("it is a gateway, which has no sessions of its own");
  if (figures.instance === undefined) throw new NoExecutorError("it is a server of a version that knows no gateway: update it");
  return figures.instance;
}
