/** Executors that came or went of late: for which ids a home's "no" is not the last word yet, and who else may know. */
import type { Executor } from "./executor.ts";
import type { Rendezvous, Seed } from "./rendezvous.ts";

/** One that came, or went, or drains and is a home no more. */
export interface Change {
  executor: Executor;
  /** Whether it is there now. */
  hasCome: boolean;
  /** Counts the changes, from 1. */
  version: number;
  /** Milliseconds of a clock that never jumps; what a gateway finds when it starts is no change of the world. */
  at: number;
}

/** For so long after a change another gateway may not have told the homes yet. */
const SETTLE_MS = 10_000;

/** The changes that are not settled. */
export class ExecutorChanges {
  readonly #settleMs: number;
  readonly #now: () => number;
  #recent: readonly Change[] = [];
  #version = 0;
  /** All sessions were told to their homes while the executors had this version; -1: never yet. */
  #toldVersion = -1;

  constructor(settleMs = SETTLE_MS, now = () => performance.now()) {
    this.#settleMs = settleMs;
    this.#now = now;
  }

  /** Counts the times that executors came or went. */
  get version(): number {
    return this.#version;
  }

  /** Whether the homes were told of all sessions that were there when this gateway started. */
  get isKnown(): boolean {
    return this.#toldVersion >= 0;
  }

  /** @param isFirst Whether the executor was only found, by a gateway that starts. */
  note(executor: Executor, hasCome: boolean, isFirst: boolean): void {
    this.#version += 1;
    const at = isFirst ? Number.NEGATIVE_INFINITY : this.#now();
    this.#recent = [...this.unsettled(), { executor, hasCome, version: this.#version, at }];
  }

  /** The homes were told of all that changed up to this version. */
  noteTold(version: number): void {
    this.#toldVersion = Math.max(this.#toldVersion, version);
    this.#recent = this.unsettled();
  }

  /** Those whose sessions the homes may not know. */
  unsettled(): readonly Change[] {
    const since = this.#now() - this.#settleMs;
    return this.#recent.filter(({ version, at }) => version > this.#toldVersion || at > since);
  }

  /** Those that the homes were not told of. */
  untold(): readonly Change[] {
    return this.#recent.filter(({ version }) => version > this.#toldVersion);
  }

  /**
   * Who may know of a session that its home does not know.
   * @param id What its home is made from.
   * @param homes Among whom it has one.
   * @param changes Unsettled ones.
   * @param all The executors that are there.
   */
  whoElse(id: Seed, homes: Rendezvous<Executor>, changes: readonly Change[], all: readonly Executor[]): readonly Executor[] {
    if (!this.isKnown) return all;
    // The claim may lie where the id's home was before one came, or was lost with the home that went.
    if (changes.some(({ executor }) => homes.wouldBeHome(id, executor.seed))) return all;
    // One that comes may bring sessions.
    const come = changes.filter(({ hasCome, version }) => hasCome && version > this.#toldVersion).map(({ executor }) => executor);
    return come.filter((executor) => executor.state !== "lost" && executor.sessions > 0);
  }
}
