/** New sessions: an executor is chosen, the id claimed for it at the id's home, and only then is it sent there. */
import type { Claim } from "../api/index.ts";
import { AppError } from "../errors.ts";
import type { Executor } from "./executor.ts";
import { isUnsent, type ExecutorAnswer, type ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";
import { place } from "./placement.ts";
import { isConnectionFault, type SessionFinder } from "./session-finder.ts";

/** A session to be made. */
export interface NewSession {
  id: string;
  /** Labels that its executor must have. */
  requires: readonly string[];
  /** Asks an executor for it. A repeat is only made where the session does not exist. */
  send: (executor: Executor) => Promise<ExecutorAnswer>;
}

/** An executor's answer to the request that makes a session. */
export interface MadeSession {
  executor: Executor;
  answer: ExecutorAnswer;
  /** Whether an earlier copy of the request may have made the session that this answer says exists. */
  wasRepeated: boolean;
}

/** So many executors are tried that turn out to have no room. */
const MOST_CHOICES = 4;
/** After so many turns something is wrong that another will not mend. */
const MOST_TURNS = 20;
const FULL_OR_ENDING = new Set([429, 503]);

/** What making needs. */
export interface SessionMakerOptions {
  executors: Pick<Executors, "all" | "get" | "suspect" | "refresh" | "meet" | "decided">;
  finder: Pick<SessionFinder, "home" | "holderBesideHome" | "ask" | "remember" | "questions">;
  calls: Pick<ExecutorCalls, "claim">;
  /** @default Math.random */
  random?: () => number;
}

/** Makes sessions. */
export class SessionMaker {
  readonly #executors: SessionMakerOptions["executors"];
  readonly #finder: SessionMakerOptions["finder"];
  readonly #calls: Pick<ExecutorCalls, "claim">;
  readonly #random: () => number;

  constructor(options: SessionMakerOptions) {
    this.#executors = options.executors;
    this.#finder = options.finder;
    this.#calls = options.calls;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Makes a session, or finds out from the executor that holds the id already what it says to a second one.
   * @throws AppError `no_executor`, `executor_cut_off`.
   */
  async make(session: NewSession, signal?: AbortSignal): Promise<MadeSession> {
    const { id, requires } = session;
    const tried = new Set<Executor>();
    let replaces: string | undefined;
    let wasRepeated = false;
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      signal?.throwIfAborted();
      const choice = await this.#chooseAmongAll(requires, tried, signal);
      const owner = await this.#claim(id, choice, replaces, signal);
      if (owner === undefined) continue;
      if (typeof owner === "string") {
        replaces = owner;
        continue;
      }
      if (owner !== choice && !(await this.#mayHold(owner, session, tried, signal))) {
        replaces = owner.instance;
        continue;
      }
      let answer: ExecutorAnswer;
      try {
        answer = await session.send(owner);
      } catch (error) {
        if (signal?.aborted === true || !isConnectionFault(error)) throw error;
        this.#executors.suspect(owner);
        if ((await owner.decided(signal)) === "lost") replaces = owner.instance;
        else wasRepeated ||= !isUnsent(error);
        continue;
      }
      if (FULL_OR_ENDING.has(answer.statusCode) && tried.size + 1 < MOST_CHOICES && this.#hasOthers(requires, tried, owner)) {
        await answer.body.dump();
        tried.add(owner);
        replaces = owner.instance;
        continue;
      }
      if (answer.statusCode === 201 || answer.statusCode === 409) this.#finder.remember(id, owner);
      return { executor: owner, answer, wasRepeated };
    }
    throw new AppError("executor_cut_off");
  }

  /** The executor that a new session would go to. @throws AppError `no_executor`. */
  choose(requires: readonly string[]): Executor {
    return this.#choose(requires, new Set());
  }

  /** One that has not answered yet may be the only one that fits. */
  async #chooseAmongAll(requires: readonly string[], tried: Set<Executor>, signal?: AbortSignal): Promise<Executor> {
    try {
      return this.#choose(requires, tried);
    } catch (error) {
      if (!(await this.#executors.decided(signal))) throw error;
      return this.#choose(requires, tried);
    }
  }

  #choose(requires: readonly string[], tried: Set<Executor>): Executor {
    const choice = place(this.#executors.all(), { requires, isOpen: (each) => isOpen(each, tried), random: this.#random });
    if (choice !== undefined) {
      // At once: the next choice may be made before this one's session is there.
      choice.noteSession();
      return choice;
    }
    const missing = requires.length === 0 ? "" : ` with ${requires.map((label) => JSON.stringify(label.slice(0, 64))).join(", ")}`;
    throw new AppError("no_executor", `No executor${missing} takes new sessions now.`, { retryAfterSeconds: 2 });
  }

  #hasOthers(requires: readonly string[], tried: Set<Executor>, but: Executor): boolean {
    return this.#executors
      .all()
      .some((each) => each !== but && isOpen(each, tried) && requires.every((label) => each.labels.includes(label)));
  }

  /**
   * Claims the id for an executor.
   * @returns who has the claim; the start of one that nobody knows (any more); undefined where the home was lost meanwhile.
   */
  async #claim(id: string, choice: Executor, replaces: string | undefined, signal?: AbortSignal): Promise<Executor | string | undefined> {
    const home = await this.#finder.home(id, signal);
    // Before all sessions were told to their homes, the claim may lie with an earlier one.
    const holder = await this.#finder.holderBesideHome(id, signal);
    if (holder !== undefined) return holder.executor;
    let claim: Claim;
    try {
      this.#finder.questions += 1;
      claim = await this.#calls.claim(home.address, id, {
        executor: choice.instance,
        at: choice.at,
        ...(replaces === undefined ? {} : { replaces }),
      });
    } catch (error) {
      if (!isConnectionFault(error)) throw error;
      this.#executors.suspect(home);
      return undefined;
    }
    if (claim.is_held) return home;
    if (claim.executor === null || claim.executor === choice.instance) return choice;
    const known = this.#executors.get(claim.executor);
    if (known !== undefined) return known.state === "lost" ? claim.executor : known;
    // Another gateway may have seen a new executor before this one, or one that drains and is listed no more.
    await this.#executors.refresh();
    if (claim.at) await this.#executors.meet(claim.executor, claim.at);
    return this.#executors.get(claim.executor) ?? claim.executor;
  }

  /** Whether a session that another chose an executor for is to be sent there: it is there already, or may well be made there. */
  async #mayHold(owner: Executor, { id, requires }: NewSession, tried: Set<Executor>, signal?: AbortSignal): Promise<boolean> {
    const hasLabels = requires.every((label) => owner.labels.includes(label));
    if (hasLabels && !tried.has(owner) && owner.state === "ready") return true;
    const claim = await this.#finder.ask(owner, id, signal);
    return claim?.is_held === true;
  }
}

function isOpen(executor: Executor, tried: Set<Executor>): boolean {
  return executor.state === "ready" && !tried.has(executor);
}
