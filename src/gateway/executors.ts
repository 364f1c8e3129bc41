/** All executors behind a gateway: found, asked how they are, and told apart when they come and go. */
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Readiness } from "../api/index.ts";
import type { ExecutorAddress } from "./addresses.ts";
import { Executor } from "./executor.ts";
import { isUnsent, type ExecutorCalls } from "./executor-calls.ts";
import { Rendezvous } from "./rendezvous.ts";
import { NoExecutorError, whyUnusable } from "./why-unusable.ts";

/** What the watch over executors is made with. */
export interface ExecutorsOptions {
  /** undefined: not to be found out now. */
  find: () => Promise<ExecutorAddress[] | undefined>;
  calls: Pick<ExecutorCalls, "readiness" | "check" | "connects">;
  /** Without a connection for so long an executor is lost. */
  lostAfterMs: number;
  logger: Logger;
  intervals?: Partial<Intervals>;
}

interface Intervals {
  /** Between two questions to an executor. */
  pollMs: number;
  /** As long as one does not answer. */
  pollAwayMs: number;
  /** Between two looks for executors. */
  findMs: number;
}

const INTERVALS: Intervals = { pollMs: 1_000, pollAwayMs: 200, findMs: 2_000 };
const POLL_TIMEOUT_MS = 1_500;
/** One that takes connections and does not answer is slow; what holds it up may well end. */
const SLOW_LOST_AFTER_FACTOR = 10;
/** For so long a gateway still knows whom a session was lost with. */
const REMEMBER_LOST_MS = 3_600_000;

/** One address that is watched. */
interface Watched {
  address: ExecutorAddress;
  executor: Executor | undefined;
  /** Since when it does not answer, in milliseconds of a clock that never jumps. */
  awaySince: number | undefined;
  isListed: boolean;
  /** Whether it took connections when it last did not answer. */
  isSlow: boolean;
  /** What was last told of why it is no executor. */
  toldWhy: string | undefined;
  wake: AbortController;
}

/** The executors. */
export class Executors {
  readonly #options: ExecutorsOptions;
  readonly #intervals: Intervals;
  readonly #watched = new Map<string, Watched>();
  readonly #byInstance = new Map<string, Executor>();
  readonly #closed = new AbortController();
  readonly #listeners = new Set<() => void>();
  #rendezvous: Rendezvous<Executor> = new Rendezvous([], instanceOf);
  #version = 0;
  #changedAt = 0;
  #refreshing: Promise<void> | undefined;

  constructor(options: ExecutorsOptions) {
    this.#options = options;
    this.#intervals = { ...INTERVALS, ...options.intervals };
  }

  /** Looks for executors and asks each once; goes on doing so until {@link close}. */
  async start(): Promise<void> {
    await this.refresh();
    void this.#findAgainAndAgain();
  }

  /** Those that are not lost. */
  all(): Executor[] {
    return [...this.#watched.values()].flatMap(({ executor }) => (executor === undefined || executor.state === "lost" ? [] : [executor]));
  }

  /** Counts the times that executors came or went. */
  get version(): number {
    return this.#version;
  }

  /** Milliseconds since one last came or went. */
  get unchangedForMs(): number {
    return performance.now() - this.#changedAt;
  }

  /** Among whom ids have their homes: those that stay, or all where none does. */
  get homes(): Rendezvous<Executor> {
    return this.#rendezvous;
  }

  /** An executor by its start, also one that was lost not long ago. */
  get(instance: string): Executor | undefined {
    return this.#byInstance.get(instance);
  }

  /** Tells when executors have come or gone. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** A request to an executor failed: it is asked at once how it is. */
  suspect(executor: Executor): void {
    if (executor.state === "lost") return;
    executor.setAway();
    const watched = this.#watched.get(executor.address.origin);
    if (watched?.executor !== executor) return;
    watched.awaySince ??= performance.now();
    watched.wake.abort();
  }

  /** Looks for executors now, and asks those that are new. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#find().finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /** Asks an executor for its figures now. */
  async update(executor: Executor): Promise<void> {
    const watched = this.#watched.get(executor.address.origin);
    if (watched?.executor === executor) await this.#poll(watched);
  }

  close(): void {
    this.#closed.abort();
    for (const { wake } of this.#watched.values()) wake.abort();
  }

  async #findAgainAndAgain(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await pause(this.#intervals.findMs, undefined, { signal: this.#closed.signal, ref: false }).catch(() => undefined);
      if (this.#closed.signal.aborted) return;
      await this.refresh().catch((error: unknown) => this.#options.logger.warn({ error }, "executors could not be looked for"));
    }
  }

  async #find(): Promise<void> {
    const found = await this.#options.find();
    if (found === undefined) return;
    const listed = new Set(found.map(({ origin }) => origin));
    for (const watched of this.#watched.values()) watched.isListed = listed.has(watched.address.origin);
    const isNew = found.filter(({ origin }) => !this.#watched.has(origin));
    await Promise.all(isNew.map((address) => this.#watch(address)));
  }

  /** Resolves when the executor was asked once. */
  async #watch(address: ExecutorAddress): Promise<void> {
    const watched: Watched = {
      address,
      executor: undefined,
      awaySince: undefined,
      isListed: true,
      isSlow: false,
      toldWhy: undefined,
      wake: new AbortController(),
    };
    this.#watched.set(address.origin, watched);
    await this.#poll(watched);
    void this.#pollAgainAndAgain(watched);
  }

  async #pollAgainAndAgain(watched: Watched): Promise<void> {
    while (!this.#closed.signal.aborted) {
      // One that is gone from the list and does not answer is watched no more.
      if (!watched.isListed && (watched.executor === undefined || watched.executor.state === "lost")) {
        this.#watched.delete(watched.address.origin);
        return;
      }
      if (!watched.wake.signal.aborted) {
        const waitMs = watched.executor?.state === "away" ? this.#intervals.pollAwayMs : this.#intervals.pollMs;
        await pause(waitMs, undefined, { signal: watched.wake.signal, ref: false }).catch(() => undefined);
      }
      watched.wake = new AbortController();
      if (this.#closed.signal.aborted) return;
      await this.#poll(watched);
    }
  }

  async #poll(watched: Watched): Promise<void> {
    const begunAt = performance.now();
    const deciding = this.#decideInTime(watched, begunAt);
    try {
      const figures = await this.#options.calls.readiness(watched.address, POLL_TIMEOUT_MS);
      watched.awaySince = undefined;
      const { executor } = watched;
      const instance = instanceIn(figures);
      if (executor !== undefined && executor.instance === instance && executor.state !== "lost") {
        const before = executor.state;
        executor.update(figures);
        if (before !== executor.state && (before === "draining" || executor.state === "draining")) this.#noteChange();
        return;
      }
      if (executor !== undefined) this.#lose(executor, "another server has its place");
      watched.executor = undefined;
      await this.#options.calls.check(watched.address);
      this.#takeOver(instance, watched.address);
      watched.toldWhy = undefined;
      watched.executor = new Executor(watched.address, instance, figures);
      this.#byInstance.set(watched.executor.instance, watched.executor);
      this.#options.logger.info({ executor: watched.address.origin, instance }, "an executor is there");
      this.#noteChange();
    } catch (error) {
      watched.awaySince ??= begunAt;
      watched.executor?.setAway();
      this.#tellWhy(watched, whyUnusable(error));
      watched.isSlow = !isUnsent(error) && (await this.#options.calls.connects(watched.address));
      this.#decide(watched);
    } finally {
      clearTimeout(deciding);
    }
  }

  /** An executor that has moved is left at its old address; one that has several addresses is one all the same. */
  #takeOver(instance: string, { origin }: ExecutorAddress): void {
    const known = this.#byInstance.get(instance);
    if (known === undefined || known.state === "lost" || known.address.origin === origin) return;
    if (known.state !== "away") throw new NoExecutorError(`it is the executor at ${known.address.origin}, by another address`);
    this.#lose(known, `it is at ${origin} now`);
  }

  #tellWhy(watched: Watched, why: string): void {
    // One that was there and is not reached now is told of when it is lost.
    if (watched.executor !== undefined && watched.executor.state !== "lost") return;
    if (watched.toldWhy === why) return;
    watched.toldWhy = why;
    this.#options.logger.warn({ executor: watched.address.origin, why }, "an address is no executor");
  }

  /** A question may still be under way when an executor has been away for long enough. */
  #decideInTime(watched: Watched, begunAt: number): NodeJS.Timeout | undefined {
    if (watched.awaySince === undefined) return undefined;
    const leftMs = this.#options.lostAfterMs - (begunAt - watched.awaySince);
    return setTimeout(() => this.#decide(watched), Math.max(0, leftMs)).unref();
  }

  #decide({ awaySince, executor, isSlow }: Watched): void {
    if (executor === undefined || awaySince === undefined || executor.state === "lost") return;
    const limitMs = this.#options.lostAfterMs * (isSlow ? SLOW_LOST_AFTER_FACTOR : 1);
    if (performance.now() - awaySince >= limitMs) this.#lose(executor, "it cannot be reached");
  }

  #lose(executor: Executor, why: string): void {
    if (executor.state === "lost") return;
    this.#options.logger.warn({ executor: executor.address.origin, instance: executor.instance, why }, "an executor is lost");
    executor.setLost();
    setTimeout(() => this.#byInstance.delete(executor.instance), REMEMBER_LOST_MS).unref();
    this.#noteChange();
  }

  #noteChange(): void {
    const all = this.all();
    const staying = all.filter(({ state }) => state !== "draining");
    this.#rendezvous = new Rendezvous(staying.length > 0 ? staying : all, instanceOf);
    this.#version += 1;
    this.#changedAt = performance.now();
    for (const tell of this.#listeners) tell();
  }
}

/** @throws NoExecutorError for an answer that is a gateway's, or that of a server without claims. */
function instanceIn(figures: Readiness): string {
  if ("executors" in figures) throw new NoExecutorError("it is a gateway, which has no sessions of its own");
  if (figures.instance === undefined) throw new NoExecutorError("it is a server of a version that knows no gateway: update it");
  return figures.instance;
}

function instanceOf({ instance }: Executor): string {
  return instance;
}
