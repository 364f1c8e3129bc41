/** A gateway of the simulation: the real parts that find, place, claim and tell, over calls that are counted instead of sent. */
import { pino } from "pino";
import type { ExecutorAddress } from "../../src/gateway/addresses.ts";
import { ClaimTeller } from "../../src/gateway/claim-teller.ts";
import type { ExecutorAnswer, ExecutorCalls } from "../../src/gateway/executor-calls.ts";
import { ExecutorChanges } from "../../src/gateway/executor-changes.ts";
import { Executors } from "../../src/gateway/executors.ts";
import { SessionFinder } from "../../src/gateway/session-finder.ts";
import { SessionMaker } from "../../src/gateway/session-maker.ts";
import { kernelIdOf } from "../../src/http/jupyter/kernel-id.ts";
import type { SimulatedExecutor } from "./simulated-executor.ts";

/** What all gateways of a simulation see. */
export interface SimulatedWorld {
  /** Those that live, by origin. */
  executors: Map<string, SimulatedExecutor>;
  random: () => number;
  /** Milliseconds of simulated time. */
  now: () => number;
}

/** Messages, by what they are for. */
export interface Messages {
  /** Claims read, written and dropped: what sessions cost. */
  questions: number;
  /** How executors are. */
  polls: number;
  /** Sessions listed by executors, and told to their homes. */
  telling: number;
}

/** The simulation asks in its own time. */
const NEVER_MS = 2 ** 31 - 1;

/** One gateway. */
export class SimulatedGateway {
  readonly messages: Messages = { questions: 0, polls: 0, telling: 0 };
  readonly executors: Executors;
  readonly finder: SessionFinder;
  readonly teller: ClaimTeller;
  readonly #maker: SessionMaker;
  readonly #world: SimulatedWorld;

  constructor(world: SimulatedWorld) {
    this.#world = world;
    const calls = this.#calls();
    const logger = pino({ level: "silent" });
    this.executors = new Executors({
      find: async () => [...world.executors.keys()].map((origin) => ({ origin })),
      calls,
      lostAfterMs: 0,
      intervals: { pollMs: NEVER_MS, pollAwayMs: NEVER_MS, findMs: NEVER_MS },
      changes: new ExecutorChanges(undefined, world.now),
      logger,
    });
    this.finder = new SessionFinder({ executors: this.executors, calls, homeKeyOf: kernelIdOf });
    this.#maker = new SessionMaker({ executors: this.executors, finder: this.finder, calls, random: world.random });
    const pace = { next: async () => undefined };
    this.teller = new ClaimTeller({ executors: this.executors, finder: this.finder, calls, homeKeyOf: kernelIdOf, logger, pace });
  }

  /** @returns the status of the answer. */
  async make(id: string): Promise<number> {
    const { answer } = await this.#maker.make({
      id,
      requires: [],
      send: async ({ address }) => {
        const statusCode = this.#reach(address).create(id);
        return { statusCode, body: { dump: async () => undefined } } as unknown as ExecutorAnswer;
      },
    });
    return answer.statusCode;
  }

  /** Ends a session, where it is. */
  async end(id: string): Promise<void> {
    const place = await this.finder.find(id);
    this.#reach(place.executor.address).sessions.delete(id);
    await this.finder.end(place, id);
  }

  close(): void {
    this.executors.close();
    this.teller.close();
  }

  #calls(): ExecutorCalls {
    const { messages } = this;
    const counted = <K extends keyof Messages>(kind: K, address: ExecutorAddress): SimulatedExecutor => {
      messages[kind] += 1;
      return this.#reach(address);
    };
    const calls: Pick<ExecutorCalls, "readiness" | "check" | "connects" | "claimOf" | "claim" | "dropClaim" | "sessionIds" | "tellClaims"> =
      {
        readiness: async (address) => counted("polls", address).readiness(),
        check: async (address) => void counted("polls", address),
        connects: async (address) => this.#world.executors.has(address.origin),
        claimOf: async (address, id) => counted("questions", address).claimOf(id),
        claim: async (address, id, request) => counted("questions", address).claim(id, request),
        dropClaim: async (address, id, executor) => counted("questions", address).dropClaim(id, executor),
        sessionIds: async (address) => counted("telling", address).list(),
        tellClaims: async (address, lists) => counted("telling", address).tell(lists),
      };
    return calls as ExecutorCalls;
  }

  #reach({ origin }: ExecutorAddress): SimulatedExecutor {
    const executor = this.#world.executors.get(origin);
    if (executor !== undefined) return executor;
    throw Object.assign(new Error(`${origin} is lost`), { code: "ECONNREFUSED" });
  }
}
