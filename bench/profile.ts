/** What CPU profiles of the server show most. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { BENCH_CACHE } from "./bench.ts";

const MOST = 20;

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

/** Prints, for each part, the functions with the most time of their own. */
export async function printProfiles(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const text = await readFile(join(BENCH_CACHE, "profiles", `${name}.cpuprofile`), "utf8").catch(() => undefined);
    if (text === undefined) continue;
    process.stdout.write(`\n### Profile of the server: ${name}\n\n`);
    for (const [place, ms] of hottest(JSON.parse(text) as Profile)) process.stdout.write(`${ms.toFixed(1).padStart(9)} ms  ${place}\n`);
  }
}

function hottest(profile: Profile): [place: string, ms: number][] {
  const places = new Map(profile.nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const times = new Map<string, number>();
  for (const [index, id] of profile.samples.entries()) {
    const place = places.get(id) ?? "?";
    times.set(place, (times.get(place) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1000);
  }
  times.delete("(idle)");
  return [...times].toSorted((a, b) => b[1] - a[1]).slice(0, MOST);
}

function placeOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  const name = functionName || "(anonymous)";
  return url === "" ? name : `${name} (${url.startsWith("file:") ? shortened(url) : url}:${lineNumber + 1})`;
}

/** From `dist` or the package on. */
function shortened(url: string): string {
  return /(?:dist|node_modules)\/.*/.exec(url)?.[0] ?? basename(url);
}
