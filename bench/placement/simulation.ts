/** Sessions that come and go on executors that come and go, by several gateways: how even it gets, and what it costs in messages. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { seededRandom } from "./seeded-random.ts";
import { SimulatedExecutor } from "./simulated-executor.ts";
import { SimulatedGateway, type Messages, type SimulatedWorld } from "./simulated-gateway.ts";
import { idlePollMs, MOST_TOLD_PER_SECOND } from "../../src/gateway/pacing.ts";

/** How large, and how lively. */
export interface SimulationOptions {
  seed: number;
  executors: number;
  /** Alive at one time. */
  sessions: number;
  gateways: number;
  /** Simulated seconds in which sessions come until all are there. */
  fillSeconds: number;
  /** Simulated seconds of coming and going after that. */
  livelySeconds: number;
  /** Of all sessions, in a second of the latter; as many end. */
  turnover: number;
  /** Executors lost in each second, and as many come. */
  changesPerSecond: number;
  onProgress?: (line: string) => void;
}

/** What is found out. */
export interface SimulationFigures {
  made: number;
  /** Sessions of executors that were lost. */
  lost: number;
  /** Sessions that a gateway did not find though they were there, and two sessions of one id. */
  faults: number;
  /** Of sessions on executors: the most over the mean, when all are there and at the end. */
  spread: { full: number; end: number };
  /** Questions: to make a session, to find one by a gateway that does not remember it, to end one. */
  questions: Record<"make" | "find" | "end", { calm: number; lively: number; most: number }>;
  /** Of each gateway, in a second of the lively time. */
  perSecond: { polls: number; telling: number };
  /** Of each gateway, for each executor that came or went. */
  tellingPerChange: number;
  /** Time on the processor for a look at all executors for a session's home, and for a round after a change, of each gateway. */
  homeMicroseconds: number;
  roundMs: number;
  /** Of heap, of one gateway that knows all executors and remembers as many sessions as it may. */
  memoryMib: number;
}

const POLL_MS = 1_000;
/** Requests of sessions, in a second, by whichever gateway. */
const LOOKS_PER_SECOND = 40;

/** Runs one; the same seed gives the same figures but for times. */
export async function simulate(options: SimulationOptions): Promise<SimulationFigures> {
  const simulation = new Simulation(options);
  try {
    return await simulation.run();
  } finally {
    simulation.close();
  }
}

type Kind = "make" | "find" | "end";

class Simulation {
  readonly #options: SimulationOptions;
  readonly #world: SimulatedWorld;
  readonly #random: () => number;
  readonly #gateways: SimulatedGateway[];
  #ids: string[] = [];
  readonly #costs = { calm: newCosts(), lively: newCosts() };
  #seconds = 0;
  #executorCount = 0;
  #sessionCount = 0;
  #lost = 0;
  #faults = 0;
  #rounds: number[] = [];
  #isLively = false;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#world = { executors: new Map(), random: this.#random, now: () => this.#seconds * 1_000 };
    for (let index = 0; index < options.executors; index += 1) this.#addExecutor();
    this.#gateways = Array.from({ length: options.gateways }, () => new SimulatedGateway(this.#world));
  }

  async run(): Promise<SimulationFigures> {
    const { sessions, fillSeconds, livelySeconds, turnover, changesPerSecond, gateways, onProgress = () => undefined } = this.#options;
    for (const gateway of this.#gateways) {
      await gateway.executors.start();
      await gateway.teller.tellAll();
    }
    const perSecond = Math.ceil(sessions / fillSeconds);
    while (this.#ids.length < sessions) {
      await this.#second(Math.min(perSecond, sessions - this.#ids.length), 0, 0);
      if (this.#seconds % 20 === 0) onProgress(`${this.#ids.length} sessions`);
    }
    const full = this.#spread();
    const before = this.#messages();
    const changesBefore = this.#executorCount;
    this.#isLively = true;
    for (let second = 0; second < livelySeconds; second += 1) {
      const count = Math.round(sessions * turnover);
      // As many come as end, and as many as were lost.
      await this.#second(count + Math.max(0, sessions - this.#ids.length), count, changesPerSecond);
      if (second % 20 === 19) onProgress(`${second + 1} lively seconds`);
    }
    const after = this.#messages();
    const changes = 2 * (this.#executorCount - changesBefore);
    const ofEach = (kind: keyof Messages): number => (after[kind] - before[kind]) / gateways;
    return {
      made: this.#sessionCount,
      lost: this.#lost,
      faults: this.#faults,
      spread: { full, end: this.#spread() },
      questions: { make: this.#cost("make"), find: this.#cost("find"), end: this.#cost("end") },
      perSecond: { polls: ofEach("polls") / livelySeconds, telling: ofEach("telling") / livelySeconds },
      tellingPerChange: changes === 0 ? 0 : ofEach("telling") / changes,
      homeMicroseconds: await this.#homeMicroseconds(),
      roundMs: this.#rounds.reduce((sum, each) => sum + each, 0) / Math.max(1, this.#rounds.length),
      memoryMib: await this.#memoryMib(),
    };
  }

  close(): void {
    for (const gateway of this.#gateways) gateway.close();
  }

  /** One simulated second: what the gateways do by themselves, then arrivals, ends and looks by any of them. */
  async #second(arrivals: number, ends: number, changes: number): Promise<void> {
    this.#seconds += 1;
    const exchanged = this.#times(changes);
    for (let count = 0; count < exchanged; count += 1) this.#exchangeExecutor();
    for (const [index, gateway] of this.#gateways.entries()) {
      // Each looks for executors every two seconds, not all at the same moment.
      if ((this.#seconds + index) % 2 === 0) await gateway.executors.refresh();
      await this.#pollSome(gateway, index);
      if ((this.#seconds + index) % this.#roundSeconds() === 0) await this.#round(gateway);
    }
    for (let arrival = 0; arrival < arrivals; arrival += 1) await this.#arrive();
    for (let end = 0; end < ends; end += 1) await this.#end();
    for (let look = 0; look < LOOKS_PER_SECOND; look += 1) await this.#look();
  }

  /** As real gateways: all within their interval. */
  async #pollSome(gateway: SimulatedGateway, index: number): Promise<void> {
    const all = gateway.executors.all();
    const everySeconds = Math.max(1, Math.round(idlePollMs(all.length, POLL_MS) / 1_000));
    for (let at = (this.#seconds + index) % everySeconds; at < all.length; at += everySeconds) {
      const executor = all[at];
      if (executor !== undefined) await gateway.executors.update(executor);
    }
  }

  /** A round asks all executors, then tells homes, at the pace of real gateways. */
  #roundSeconds(): number {
    return Math.max(1, Math.ceil((2 * this.#options.executors) / MOST_TOLD_PER_SECOND));
  }

  async #round({ executors, teller }: SimulatedGateway): Promise<void> {
    if (executors.changes.untold().length === 0) return;
    const begun = process.cpuUsage();
    await teller.tellMoved();
    const { user, system } = process.cpuUsage(begun);
    this.#rounds.push((user + system) / 1_000);
  }

  async #arrive(): Promise<void> {
    const id = `session-${(this.#sessionCount += 1)}`;
    const status = await this.#counted("make", (gateway) => gateway.make(id));
    if (status === 201) this.#ids.push(id);
    else this.#faults += 1;
  }

  async #end(): Promise<void> {
    const index = Math.floor(this.#random() * this.#ids.length);
    const id = this.#ids[index];
    const last = this.#ids.pop();
    if (id === undefined || last === undefined) return;
    if (id !== last) this.#ids[index] = last;
    await this.#counted("end", (gateway) => gateway.end(id)).catch(() => this.#noteMissing(id));
  }

  async #look(): Promise<void> {
    const id = this.#ids[Math.floor(this.#random() * this.#ids.length)];
    if (id === undefined) return;
    await this.#counted("find", ({ finder }) => finder.find(id)).catch(() => this.#noteMissing(id));
  }

  /** What was lost with its executor need not be found. */
  #noteMissing(id: string): void {
    if (this.#isThere(id)) this.#faults += 1;
  }

  #isThere(id: string): boolean {
    for (const { sessions } of this.#world.executors.values()) if (sessions.has(id)) return true;
    return false;
  }

  /** Does something by any gateway, and counts the questions it took. */
  async #counted<T>(kind: Kind, action: (gateway: SimulatedGateway) => Promise<T>): Promise<T> {
    const gateway = this.#gateways[Math.floor(this.#random() * this.#gateways.length)];
    if (gateway === undefined) throw new Error("There is no gateway.");
    const before = gateway.messages.questions;
    try {
      return await action(gateway);
    } finally {
      const cost = this.#costs[this.#isLively ? "lively" : "calm"][kind];
      const questions = gateway.messages.questions - before;
      cost.count += 1;
      cost.questions += questions;
      cost.most = Math.max(cost.most, questions);
    }
  }

  #cost(kind: Kind): { calm: number; lively: number; most: number } {
    const mean = ({ count, questions }: Cost): number => (count === 0 ? 0 : questions / count);
    const { calm, lively } = this.#costs;
    return { calm: mean(calm[kind]), lively: mean(lively[kind]), most: Math.max(calm[kind].most, lively[kind].most) };
  }

  #addExecutor(): void {
    const { sessions, executors } = this.#options;
    const executor = new SimulatedExecutor((this.#executorCount += 1), Math.ceil((2 * sessions) / executors));
    this.#world.executors.set(executor.origin, executor);
  }

  /** One is lost, and another comes. */
  #exchangeExecutor(): void {
    const all = [...this.#world.executors.values()];
    const lost = all[Math.floor(this.#random() * all.length)];
    if (lost === undefined) return;
    this.#world.executors.delete(lost.origin);
    this.#lost += lost.sessions.size;
    this.#ids = this.#ids.filter((id) => !lost.sessions.has(id));
    this.#addExecutor();
  }

  /** A whole number, by chance where it is none on average. */
  #times(mean: number): number {
    return Math.floor(mean) + (this.#random() < mean % 1 ? 1 : 0);
  }

  #spread(): number {
    const counts = [...this.#world.executors.values()].map(({ sessions }) => sessions.size);
    return Math.max(...counts) / (counts.reduce((sum, each) => sum + each, 0) / counts.length);
  }

  #messages(): Messages {
    const sum: Messages = { questions: 0, polls: 0, telling: 0 };
    for (const { messages } of this.#gateways) for (const kind of Object.keys(sum) as (keyof Messages)[]) sum[kind] += messages[kind];
    return sum;
  }

  async #memoryMib(): Promise<number> {
    const before = heapMib();
    const gateway = new SimulatedGateway(this.#world);
    this.#gateways.push(gateway);
    await gateway.executors.start();
    for (const executor of gateway.executors.all()) {
      for (const id of this.#world.executors.get(executor.address.origin)?.sessions ?? []) gateway.finder.hint(id, executor);
    }
    return heapMib() - before;
  }

  async #homeMicroseconds(): Promise<number> {
    const count = 1_000;
    const [gateway] = this.#gateways;
    const begun = performance.now();
    for (let index = 0; index < count; index += 1) await gateway?.finder.home(`any-${index}`);
    return ((performance.now() - begun) * 1_000) / count;
  }
}

/** What is in use, without what only waits to be collected. */
function heapMib(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed / 1024 ** 2;
}

interface Cost {
  count: number;
  questions: number;
  most: number;
}

function newCosts(): Record<Kind, Cost> {
  const none = (): Cost => ({ count: 0, questions: 0, most: 0 });
  return { make: none(), find: none(), end: none() };
}
