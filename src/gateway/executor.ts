/** One executor as a gateway sees it: one start of one server, with its figures and whether it can be reached. */
import { setMaxListeners } from "node:events";
import type { ExecutorAt, Readiness } from "../api/index.ts";
import type { ExecutorAddress } from "./addresses.ts";
import type { Candidate } from "./placement.ts";
import { seedOf, type Seed, type Weighed } from "./rendezvous.ts";
import { UnseenSessions, type SentSince } from "./unseen-sessions.ts";
import { Waiters } from "./waiters.ts";

/** `away`: not reached at this moment, which may pass; `lost`: away for too long, or another server has its place. */
export type ExecutorState = "ready" | "draining" | "away" | "lost";

/** What an executor is made with. */
export interface ExecutorOptions {
  address: ExecutorAddress;
  /** This start of the server. */
  instance: string;
  figures: Readiness;
  /** Told each time that a request is sent there. */
  onUse?: () => void;
  /** One for all executors of a gateway. */
  unseen?: UnseenSessions;
}

/** An executor; lost ones never come back: a server that starts again is another one. */
export class Executor implements Candidate, Weighed {
  readonly address: ExecutorAddress;
  readonly instance: string;
  readonly seed: Seed;
  #state: ExecutorState = "away";
  #figures: Readiness;
  /** Sessions sent there since its figures came. */
  #sent = 0;
  readonly #unseen: UnseenSessions;
  /** What this gateway had sent, to any executor, when its figures came. */
  #sentThen: number;
  /** Whether the figures are known to be older than something that changed them. */
  isStale = false;
  /** Requests that are under way. */
  #underWay = 0;
  readonly #onUse: () => void;
  readonly #lost = new AbortController();
  readonly #deciding = new Waiters();

  constructor({ address, instance, figures, onUse = () => undefined, unseen = new UnseenSessions() }: ExecutorOptions) {
    this.address = address;
    this.instance = instance;
    this.seed = seedOf(instance);
    this.#onUse = onUse;
    this.#figures = figures;
    this.#unseen = unseen;
    this.#sentThen = unseen.sent;
    // Each request under way listens.
    setMaxListeners(0, this.#lost.signal);
    this.update(figures);
  }

  /** Where it is, as other gateways are told by its claims. */
  get at(): ExecutorAt {
    const { origin, serverName } = this.address;
    return { origin, ...(serverName === undefined ? {} : { server_name: serverName }), is_draining: this.#state === "draining" };
  }

  get state(): ExecutorState {
    return this.#state;
  }

  /** Aborts when the executor is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get labels(): readonly string[] {
    return this.#figures.labels ?? [];
  }

  get sessions(): number {
    return this.#figures.sessions;
  }

  get executions(): number {
    return this.#figures.executions;
  }

  /** Sessions with a kernel: those that it told of, those sent there since, and those that others are likely to have sent. */
  get kernels(): number {
    return this.#known + this.#unseen.expected(this.#sentSince);
  }

  get #sentSince(): SentSince {
    return { there: this.#sent, anywhere: this.#unseen.sent - this.#sentThen };
  }

  get #known(): number {
    return (this.#figures.kernels ?? this.#figures.sessions) + this.#sent;
  }

  get maxSessions(): number {
    return this.#figures.max_sessions ?? 100;
  }

  get load(): number {
    return this.#figures.load ?? 0;
  }

  get memoryAvailableBytes(): number {
    return this.#figures.memory_available_bytes ?? 0;
  }

  get memoryTotalBytes(): number {
    return this.#figures.memory_total_bytes ?? 0;
  }

  /** It answered. */
  update(figures: Readiness): void {
    if (this.#state === "lost") return;
    const before = this.#known;
    const since = this.#sentSince;
    this.#figures = figures;
    this.#sent = 0;
    this.#unseen.learn(this.#known - before, since);
    this.#sentThen = this.#unseen.sent;
    this.isStale = false;
    this.#state = figures.status === "ready" ? "ready" : "draining";
    this.#deciding.wake();
  }

  /** It could not be reached just now. */
  setAway(): void {
    if (this.#state !== "lost") this.#state = "away";
  }

  setLost(): void {
    if (this.#state === "lost") return;
    this.#state = "lost";
    this.#deciding.wake();
    this.#lost.abort(new Error("the executor is lost"));
  }

  /** A request is sent there. @returns what to call when it is through, answer and all. */
  begin(): () => void {
    this.#underWay += 1;
    this.#onUse();
    let isThrough = false;
    return () => {
      if (!isThrough) this.#underWay -= 1;
      isThrough = true;
    };
  }

  get isInUse(): boolean {
    return this.#underWay > 0;
  }

  /** A session was sent there: the next is weighed with it. */
  noteSession(): void {
    this.#sent += 1;
    this.#unseen.noteSent();
  }

  /** Resolves when it is known whether an executor that is away can be reached again or is lost; at once for others. */
  async decided(signal?: AbortSignal): Promise<"reachable" | "lost"> {
    while (this.#state === "away") await this.#deciding.woken(signal);
    return this.#state === "lost" ? "lost" : "reachable";
  }
}
