/** What a server takes while nothing runs: after load as much as before it. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { collectGarbage } from "./garbage.ts";
import type { ServerUnderFire } from "./server-under-fire.ts";

/** What is counted. */
const MEASURES = ["server bytes", "processes", "descriptors", "files"] as const;
type Measure = (typeof MEASURES)[number];

/** One look. */
export type Footprint = Record<Measure, number>;

/** From one look to a later one. */
export interface Growth {
  /** 0.01 is one per cent more. */
  shares: Record<Measure, number>;
  /** What has grown, as sentences. */
  faults: string[];
}

/** The share by which anything may grow. */
const MOST_GROWTH = 0.05;

/** Of things that are few, one more is more than that: a kernel of the pool may just be replaced. */
const MOST_MORE: Record<Measure, number> = { "server bytes": 0, processes: 2, descriptors: 8, files: 8 };

const LOOKS = 10;
const EVERY_MS = 1_000;

/** Looks a few times, as what ends ends in its own time, and takes of each the least. */
export async function footprintOf(server: ServerUnderFire): Promise<Footprint> {
  let least: Footprint | undefined;
  for (let count = 0; count < LOOKS; count += 1) {
    await delay(EVERY_MS);
    // What is garbage already but not yet collected says nothing of what is kept.
    if (!(await collectGarbage(server.inspectorUrl))) throw new Error("the server does not collect its garbage");
    const seen = await look(server);
    least = perMeasure((measure) => Math.min(seen[measure], least?.[measure] ?? Infinity));
  }
  return least!;
}

/** Compares two looks at one server. */
export function compare(before: Footprint, after: Footprint): Growth {
  const shares = perMeasure((measure) => after[measure] / before[measure] - 1);
  const isMore = (measure: Measure): boolean =>
    after[measure] - before[measure] > Math.max(before[measure] * MOST_GROWTH, MOST_MORE[measure]);
  const faults = MEASURES.filter(isMore).map((measure) => `${measure} grew by ${(shares[measure] * 100).toFixed(1)} %`);
  return { shares, faults };
}

/** In words. */
export function describeFootprint(footprint: Footprint): string {
  return MEASURES.map((measure) => `${measure} ${footprint[measure]}`).join(", ");
}

function perMeasure(value: (measure: Measure) => number): Footprint {
  return Object.fromEntries(MEASURES.map((measure) => [measure, value(measure)])) as Footprint;
}

async function look(server: ServerUnderFire): Promise<Footprint> {
  const [bytes, processes, descriptors, files] = await Promise.all([
    server.memoryBytes(),
    server.processes(),
    readdir(`/proc/${server.pid}/fd`),
    filesOf(server),
  ]);
  return { "server bytes": bytes, processes: processes.length, descriptors: descriptors.length, files };
}

/** All but what sessions' code wrote for itself: that stays when a session ends. */
async function filesOf({ folder }: ServerUnderFire): Promise<number> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const isUsers = new RegExp(`^${join(folder, "work/sessions")}/[^/]+/cwd(/|$)`);
  return names.filter((entry) => !entry.isDirectory() && !isUsers.test(entry.parentPath)).length;
}
