/** What one server process and all that belongs to it take, sampled over a part of a run: none of it may grow. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { collectGarbage } from "./garbage.ts";
import type { ServerUnderFire } from "./server-under-fire.ts";

const EVERY_MS = 2_000;
const SAID_EVERY = 15;

/** What is counted. */
const MEASURES = ["server bytes", "processes", "descriptors", "files"] as const;
type Measure = (typeof MEASURES)[number];

/** The share by which anything may grow. */
const MOST_GROWTH = 0.05;

/** Of things that are few, one more or less is more than its share: sessions end and start all the time. */
const MOST_MORE: Record<Measure, number> = { "server bytes": 0, processes: 2, descriptors: 4, files: 4 };

/** Takes the samples. */
export class FootprintWatch {
  readonly #server: ServerUnderFire;
  readonly #say: (line: string) => void;
  readonly #samples: Record<Measure, number>[] = [];

  constructor(server: ServerUnderFire, say: (line: string) => void) {
    this.#server = server;
    this.#say = say;
  }

  /** Until it is over; only what is seen while it counts is kept. */
  async watch(isOver: () => boolean, counts: () => boolean): Promise<void> {
    for (let round = 0; !isOver(); round += 1) {
      await delay(EVERY_MS);
      const sample = await this.#take();
      if (sample === undefined) continue;
      if (counts()) this.#samples.push(sample);
      if (round % SAID_EVERY === 0) this.#say(MEASURES.map((measure) => `${measure} ${sample[measure]}`).join(", "));
    }
  }

  /** For each measure its median in the second half of the samples against that in the first: 0.01 is one per cent more. */
  growth(): Record<Measure, number> {
    return this.#perMeasure((before, after) => after / before - 1);
  }

  /** What has grown, as sentences. */
  faults(): string[] {
    if (this.#samples.length < 4) return [`only ${this.#samples.length} samples were taken: the run was too short to tell how memory goes`];
    const excess = this.#perMeasure((before, after, measure) => after - before - Math.max(before * MOST_GROWTH, MOST_MORE[measure]));
    const growth = this.growth();
    return MEASURES.filter((measure) => excess[measure] > 0).map((measure) => `${measure} grew by ${(growth[measure] * 100).toFixed(1)} %`);
  }

  #perMeasure(compare: (before: number, after: number, measure: Measure) => number): Record<Measure, number> {
    const middle = Math.floor(this.#samples.length / 2);
    const value = (measure: Measure): number => {
      const values = this.#samples.map((sample) => sample[measure]);
      return compare(median(values.slice(0, middle)), median(values.slice(middle)), measure);
    };
    return Object.fromEntries(MEASURES.map((measure) => [measure, value(measure)])) as Record<Measure, number>;
  }

  /** Nothing where the server is just being ended or started. */
  async #take(): Promise<Record<Measure, number> | undefined> {
    const { pid } = this.#server;
    // What is garbage already but not yet collected says nothing of what is kept.
    if (!(await collectGarbage(this.#server.inspectorUrl))) return undefined;
    const bytes = await this.#server.memoryBytes();
    const [processes, descriptors, files] = await Promise.all([this.#server.processes(), entriesOf(`/proc/${pid}/fd`), this.#files()]);
    if (bytes === 0 || descriptors === 0 || pid !== this.#server.pid) return undefined;
    return { "server bytes": bytes, processes: processes.length, descriptors, files };
  }

  /** All but what sessions' code wrote for itself: that stays when a session ends. */
  async #files(): Promise<number> {
    const names = await readdir(this.#server.folder, { recursive: true, withFileTypes: true }).catch(() => []);
    const isUsers = new RegExp(`^${join(this.#server.folder, "work/sessions")}/[^/]+/cwd(/|$)`);
    return names.filter((entry) => !entry.isDirectory() && !isUsers.test(entry.parentPath)).length;
  }
}

async function entriesOf(folder: string): Promise<number> {
  return (await readdir(folder).catch(() => [])).length;
}

function median(values: number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}
