/** Which executor holds which session, as gateways have written it down here; in memory only, since they write it down again. */
import type { ExecutorAt } from "../api/index.ts";
import { kernelIdOf } from "./jupyter/kernel-id.ts";

/** What was claimed. */
interface Entry {
  sessionId: string;
  executor: string;
  /** When a gateway last said so, in milliseconds. */
  saidAt: number;
}

/** A claim that nobody repeats for so long is of a session that is gone; gateways repeat theirs every few minutes. */
const FORGOTTEN_AFTER_MS = 3_600_000;
const MOST_CLAIMS = 1_000_000;
const MOST_ADDRESSES = 10_000;

/** Claims, oldest first. Every step is atomic: there is no await in it. */
export class ClaimTable {
  readonly #entries = new Map<string, Entry>();
  /** Session ids by the kernel ids that Jupyter's clients know them by. */
  readonly #byKernelId = new Map<string, string>();
  readonly #addresses = new Map<string, { at: ExecutorAt; saidAt: number }>();

  /** @param id A session's, or its kernel's. */
  get(id: string): { sessionId: string; executor: string } | undefined {
    const entry = this.#entries.get(id) ?? this.#entries.get(this.#byKernelId.get(id) ?? "");
    return entry === undefined || this.#isForgotten(entry) ? undefined : entry;
  }

  /**
   * Writes a claim where there is none, or where it is that of `replaces`.
   * @returns the executor that holds the claim now.
   */
  claim(sessionId: string, executor: string, replaces?: string): string {
    const held = this.get(sessionId);
    if (held !== undefined && held.sessionId === sessionId && held.executor !== executor && held.executor !== replaces)
      return held.executor;
    this.set(sessionId, executor);
    return executor;
  }

  /** Writes a claim down, whoever had it: for the executor that is known to hold the session. */
  set(sessionId: string, executor: string): void {
    const kernelId = kernelIdOf(sessionId);
    this.#entries.delete(sessionId);
    this.#entries.set(sessionId, { sessionId, executor, saidAt: Date.now() });
    if (kernelId !== sessionId) this.#byKernelId.set(kernelId, sessionId);
    for (const oldest of this.#entries.values()) {
      if (this.#entries.size <= MOST_CLAIMS && !this.#isForgotten(oldest)) break;
      this.#delete(oldest.sessionId);
    }
  }

  /** Forgets a claim, where it is this executor's. */
  remove(sessionId: string, executor: string): void {
    if (this.#entries.get(sessionId)?.executor === executor) this.#delete(sessionId);
  }

  /** Writes down where an executor is reached. */
  noteAddress(executor: string, at: ExecutorAt): void {
    this.#addresses.delete(executor);
    this.#addresses.set(executor, { at, saidAt: Date.now() });
    for (const [oldest, entry] of this.#addresses) {
      if (this.#addresses.size <= MOST_ADDRESSES && !this.#isForgotten(entry)) break;
      this.#addresses.delete(oldest);
    }
  }

  addressOf(executor: string): ExecutorAt | undefined {
    const entry = this.#addresses.get(executor);
    return entry === undefined || this.#isForgotten(entry) ? undefined : entry.at;
  }

  /** The executors about to end: few, also where there are many. */
  draining(): { executor: string; at: ExecutorAt }[] {
    const isTold = ([, entry]: [string, { at: ExecutorAt; saidAt: number }]): boolean =>
      entry.at.is_draining === true && !this.#isForgotten(entry);
    return [...this.#addresses].filter(isTold).map(([executor, { at }]) => ({ executor, at }));
  }

  #delete(sessionId: string): void {
    this.#entries.delete(sessionId);
    this.#byKernelId.delete(kernelIdOf(sessionId));
  }

  #isForgotten({ saidAt }: { saidAt: number }): boolean {
    return Date.now() - saidAt > FORGOTTEN_AFTER_MS;
  }
}
