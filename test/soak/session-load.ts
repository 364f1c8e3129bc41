/** One session's share of the load: it starts, runs code of all kinds, and notes what it was promised and told. */
import type { ExecutionResult } from "../../src/api/index.ts";
import { textOf, type Frame } from "../helpers/event-stream.ts";
import { planExecution, type Plan } from "./executions.ts";
import type { PatientClient } from "./patient-client.ts";
import type { Random } from "./random.ts";

/** What a client knows of one execution. */
export interface Told {
  plan: Plan;
  /** What the waiting request or the end of the stream said. */
  result?: ExecutionResult;
  /** Of those that were streamed, as they came. */
  frames?: Frame[];
}

/** One session and all that was asked of it, in the order of acceptance. */
export class SessionLoad {
  readonly id: string;
  readonly told: Told[] = [];
  readonly #client: PatientClient;
  readonly #random: Random;
  /** Those that were accepted and are still to end. */
  readonly #open: Promise<void>[] = [];

  constructor(id: string, client: PatientClient, random: Random) {
    this.id = id;
    this.#client = client;
    this.#random = random;
  }

  get path(): string {
    return `/sessions/${this.id}`;
  }

  /** How many of its executions have ended, as far as it was told. */
  get endedCount(): number {
    return this.told.filter(({ result }) => result !== undefined).length;
  }

  async start(): Promise<void> {
    const { status, json } = await this.#client.call("POST", "/sessions", { session_id: this.id });
    // A copy of the request that was cut off by the server's end may have made it.
    if (status !== 201 && json["code"] !== "session_exists") throw new Error(`${this.id} did not start: ${JSON.stringify(json)}`);
  }

  /** Runs one execution, or a few in quick succession that wait for each other in the session's queue. */
  async step(): Promise<void> {
    const count = this.#random.oneIn(4) ? 3 : 1;
    for (let index = 0; index < count; index += 1) {
      const plan = planExecution(this.#random, `${this.id}-${this.told.length}`);
      const streams = plan.isInterrupted || count > 1 || this.#random.oneIn(2);
      await (streams ? this.#stream(plan) : this.#wait(plan));
    }
    await Promise.all(this.#open.splice(0));
  }

  async #wait(plan: Plan): Promise<void> {
    const told: Told = { plan };
    this.told.push(told);
    const { status, json } = await this.#client.call("POST", `${this.path}/execute`, bodyOf(plan, false), plan.id);
    if (status !== 200) throw new Error(`${plan.id}: ${status} ${JSON.stringify(json)}`);
    told.result = json as unknown as ExecutionResult;
  }

  /** Resolves when it is accepted. */
  async #stream(plan: Plan): Promise<void> {
    const told: Told = { plan };
    this.told.push(told);
    const { status, json } = await this.#client.call("POST", `${this.path}/execute`, bodyOf(plan, true), plan.id);
    if (status !== 202) throw new Error(`${plan.id}: ${status} ${JSON.stringify(json)}`);
    // A reader that hangs up now and then must miss nothing either.
    const patience = this.#random.between(1, 10);
    const read = async (): Promise<void> => {
      let count = 0;
      let interrupted: Promise<unknown> | undefined;
      const onFrame = (): void => {
        if (plan.isInterrupted) interrupted ??= this.#client.call("POST", `${this.path}/execute/${plan.id}/interrupt`);
      };
      told.frames = await this.#client.stream(`${this.path}/execute/${plan.id}/stream`, onFrame, () => (count += 1) === patience);
      told.result = told.frames.at(-2)?.data as unknown as ExecutionResult;
      await interrupted;
    };
    const reading = read();
    reading.catch(() => undefined);
    this.#open.push(reading);
  }
}

/** What a reader saw of the code's output. */
export function textSeen({ frames }: Told): string {
  return frames === undefined ? "" : textOf(frames);
}

function bodyOf({ id, code, timeout }: Plan, stream: boolean): object {
  return { exec_id: id, code, stream, ...(timeout !== undefined && { timeout }) };
}
