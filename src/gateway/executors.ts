/** All executors behind a gateway: found, watched, and told apart when they come and go. */
import { setMaxListeners } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { ExecutorAt } from "../api/index.ts";
import type { ExecutorAddress } from "./addresses.ts";
import type { Executor } from "./executor.ts";
import type { ExecutorCalls } from "./executor-calls.ts";
import { ExecutorChanges } from "./executor-changes.ts";
import { ExecutorWatch } from "./executor-watch.ts";
import { eachAtOnce, firstRoundMs, idlePollMs } from "./pacing.ts";
import { Rendezvous } from "./rendezvous.ts";
import { UnseenSessions } from "./unseen-sessions.ts";
import { NoExecutorError } from "./why-unusable.ts";

/** What the watch over executors is made with. */
export interface ExecutorsOptions {
  find: () => Promise<ExecutorAddress[]>;
  calls: Pick<ExecutorCalls, "readiness" | "check" | "connects">;
  /** Without a connection for so long an executor is lost. */
  lostAfterMs: number;
  logger: Logger;
  intervals?: Partial<Intervals>;
  changes?: ExecutorChanges;
}

interface Intervals {
  /** Between two questions to an executor that is in use; idle ones wait longer where there are many. */
  pollMs: number;
  /** As long as one does not answer. */
  pollAwayMs: number;
  /** Between two looks for executors. */
  findMs: number;
}

const INTERVALS: Intervals = { pollMs: 1_000, pollAwayMs: 200, findMs: 2_000 };
/** For so long a gateway still knows whom a session was lost with. */
const REMEMBER_LOST_MS = 3_600_000;
const MEET_TIMEOUT_MS = 1_500;
/** Asked at the same time when they are new. */
const NEW_AT_ONCE = 128;

/** The executors. */
export class Executors {
  readonly changes: ExecutorChanges;
  readonly #options: ExecutorsOptions;
  readonly #intervals: Intervals;
  readonly #unseen = new UnseenSessions();
  readonly #watches = new Map<string, ExecutorWatch>();
  readonly #byInstance = new Map<string, Executor>();
  readonly #closed = new AbortController();
  readonly #meeting = new Map<string, Promise<void>>();
  readonly #listeners = new Set<() => void>();
  readonly #startedAt = performance.now();
  #hasStarted = false;
  /** Made anew when they are asked for after a change. */
  #all: readonly Executor[] | undefined;
  #homes: Rendezvous<Executor> | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: ExecutorsOptions) {
    this.#options = options;
    this.#intervals = { ...INTERVALS, ...options.intervals };
    // Each watch listens.
    setMaxListeners(0, this.#closed.signal);
    this.changes = options.changes ?? new ExecutorChanges();
  }

  /** Looks for executors and asks each once; goes on doing so until {@link close}. */
  async start(): Promise<void> {
    await this.refresh();
    this.#hasStarted = true;
    void this.#findAgainAndAgain();
  }

  /** Those that are not lost. */
  all(): readonly Executor[] {
    return (this.#all ??= [...this.#watches.values()].flatMap(({ executor }) => executor ?? []));
  }

  /** Among whom ids have their homes: those that stay, or all where none does. */
  get homes(): Rendezvous<Executor> {
    if (this.#homes === undefined) {
      const staying = this.all().filter((each) => each.state !== "draining");
      this.#homes = new Rendezvous(staying.length > 0 ? staying : this.all());
    }
    return this.#homes;
  }

  /**
   * Whether requests may be sent here: one executor can be reached, and the homes know all sessions, or have had the time to be told. One that
   * drains is enough: a balancer must not keep clients from the sessions that live on.
   */
  get isReady(): boolean {
    const mayWait = performance.now() - this.#startedAt < firstRoundMs(this.all().length);
    return (this.changes.isKnown || !mayWait) && this.all().some(({ state }) => state !== "away");
  }

  /**
   * Resolves when it is known of each address in the list who is there: what an executor that is only slow knows is not yet to be taken for lost.
   * @returns whether that had to be waited for, and all may be different now.
   */
  async decided(signal?: AbortSignal): Promise<boolean> {
    const undecided = [...this.#watches.values()].filter(({ isUndecided }) => isUndecided);
    await Promise.all(undecided.map(async (watch) => watch.decided(signal)));
    return undecided.length > 0;
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
    this.#watches.get(executor.address.origin)?.suspect(executor);
  }

  /** Looks for executors now, and asks those that are new. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#find().finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /**
   * Looks at an executor that other gateways have told of: an engine takes one that drains out of DNS at once, its sessions live on.
   * @returns it, where it is known or answers there.
   */
  async meet(instance: string, { origin, server_name: serverName }: ExecutorAt): Promise<Executor | undefined> {
    const known = this.#byInstance.get(instance);
    if (known !== undefined) return known;
    const meeting = this.#meeting.get(origin) ?? this.#meet(instance, { origin, ...(serverName ? { serverName } : {}) });
    this.#meeting.set(origin, meeting);
    await meeting.finally(() => this.#meeting.delete(origin));
    return this.#byInstance.get(instance);
  }

  /** Asks an executor for its figures now. */
  async update(executor: Executor): Promise<void> {
    const watch = this.#watches.get(executor.address.origin);
    if (watch?.executor === executor) await watch.poll();
  }

  close(): void {
    this.#closed.abort();
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
    const listed = new Set(found.map(({ origin }) => origin));
    for (const [origin, watch] of this.#watches) watch.isListed = listed.has(origin);
    const isNew = found.filter(({ origin }) => !this.#watches.has(origin));
    await eachAtOnce(isNew, NEW_AT_ONCE, (address) => this.#watch(address));
  }

  async #meet(instance: string, address: ExecutorAddress): Promise<void> {
    const figures = await this.#options.calls.readiness(address, MEET_TIMEOUT_MS).catch(() => undefined);
    // The address may be another's by now.
    if (figures?.instance === instance && !this.#watches.has(address.origin)) await this.#watch(address, false);
  }

  /** Resolves when who is there was asked once. */
  async #watch(address: ExecutorAddress, isListed = true): Promise<void> {
    const { calls, lostAfterMs, logger } = this.#options;
    const watch = new ExecutorWatch(address, {
      calls,
      lostAfterMs,
      logger,
      unseen: this.#unseen,
      pollMs: (use) => this.#pollMs(use),
      mayCome: (instance, { origin }) => this.#takeOver(instance, origin),
      onCome: (executor) => {
        this.#byInstance.set(executor.instance, executor);
        this.#noteChange(executor, true);
      },
      onLost: (executor) => {
        setTimeout(() => this.#forget(executor), REMEMBER_LOST_MS).unref();
        this.#noteChange(executor, false);
      },
      onDrain: (executor) => this.#noteChange(executor, executor.state !== "draining"),
      closed: this.#closed.signal,
    });
    watch.isListed = isListed;
    this.#watches.set(address.origin, watch);
    await watch.poll();
    void watch.run().finally(() => this.#watches.delete(address.origin));
  }

  #pollMs(use: "idle" | "in-use" | "away"): number {
    const { pollMs, pollAwayMs } = this.#intervals;
    if (use === "away") return pollAwayMs;
    return use === "in-use" ? pollMs : idlePollMs(this.#watches.size, pollMs);
  }

  /** An executor that has moved is left at its old address; one that has several addresses is one all the same. */
  #takeOver(instance: string, origin: string): void {
    const known = this.#byInstance.get(instance);
    if (known === undefined || known.state === "lost" || known.address.origin === origin) return;
    if (known.state !== "away") throw new NoExecutorError(`it is the executor at ${known.address.origin}, by another address`);
    this.#watches.get(known.address.origin)?.lose(`it is at ${origin} now`);
  }

  #forget(executor: Executor): void {
    if (this.#byInstance.get(executor.instance) === executor) this.#byInstance.delete(executor.instance);
  }

  #noteChange(executor: Executor, hasCome: boolean): void {
    this.#all = undefined;
    this.#homes = undefined;
    this.changes.note(executor, hasCome, !this.#hasStarted);
    for (const tell of this.#listeners) tell();
  }
}
