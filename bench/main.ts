/** Runs the parts of the benchmark one after the other, prints what they find, and writes `docs/performance.md` after a full run. */
import { parseArgs } from "node:util";
import { Bench, type BenchOptions } from "./bench.ts";
import { describeMachine } from "./machine.ts";
import { manyPrints, printLatency } from "./parts/output.ts";
import { atOnce, firstResult } from "./parts/first-result.ts";
import { gateway } from "./parts/gateway.ts";
import type { Part } from "./parts/part.ts";
import { placement } from "./parts/placement.ts";
import { largeVariable, roundTrip } from "./parts/round-trip.ts";
import { manySessions, scale } from "./parts/scale.ts";
import { throughput } from "./parts/throughput.ts";
import { transfer } from "./parts/transfer.ts";
import { walls } from "./parts/walls.ts";
import { printProfiles } from "./profile.ts";
import { machineTicks } from "./process-figures.ts";
import { prepareBenchPython } from "./python.ts";
import { renderFigures, writePage } from "./report.ts";
import { formatNumber, percentile, type PartResult } from "./result.ts";
import { pause } from "./sampling.ts";

const PARTS: readonly Part[] = [
  firstResult,
  atOnce,
  roundTrip,
  throughput,
  scale,
  manySessions,
  printLatency,
  manyPrints,
  transfer,
  largeVariable,
  walls,
  gateway,
  placement,
];

const LIMIT_MS = 40 * 60_000;
const DISTURBANCE_MS = 1000;

const USAGE = `npm run bench -- [--quick] [--profile] [PART...]
  --quick    fewer samples, a minute or two
  --profile  servers write CPU profiles into .cache/bench/profiles; what they show most is printed
  PART       ${PARTS.map(({ name }) => name).join(", ")}; all by default`;

/**
 * Runs the benchmark.
 * @returns the exit code: 1 where a part failed or left processes behind; a missed goal is a finding, not a failure.
 */
export async function runBenchmark(args: string[]): Promise<number> {
  const chosen = choose(args);
  if (typeof chosen === "string") {
    process.stderr.write(`${chosen}\n${USAGE}\n`);
    return 2;
  }
  if (chosen.parts.length === 0) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const bench = await Bench.open({ ...chosen.options, python: await prepareBenchPython() });
  const stopEarly = (): void => void bench.close().finally(() => process.exit(130));
  const limit = setTimeout(() => {
    process.stderr.write("The benchmark took too long and is ended.\n");
    stopEarly();
  }, LIMIT_MS);
  // Not `once`: npm and the terminal may send a signal each.
  process.on("SIGINT", stopEarly).on("SIGTERM", stopEarly);
  try {
    return await runParts(bench, chosen.parts);
  } finally {
    await bench.close();
    clearTimeout(limit);
    process.off("SIGINT", stopEarly).off("SIGTERM", stopEarly);
  }
}

function choose(args: string[]): { parts: readonly Part[]; options: Omit<BenchOptions, "python"> } | string {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        profile: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return { parts: [], options: { isQuick: false, isProfiled: false } };
    const unknown = positionals.find((name) => !PARTS.some((part) => part.name === name));
    if (unknown !== undefined) return `There is no part "${unknown}".`;
    const parts = positionals.length === 0 ? PARTS : PARTS.filter(({ name }) => positionals.includes(name));
    return { parts, options: { isQuick: values.quick, isProfiled: values.profile } };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** How busy the machine is with other work, while the benchmark itself does nothing. */
async function busyPercent(): Promise<number> {
  const before = await machineTicks();
  await pause(DISTURBANCE_MS);
  const after = await machineTicks();
  return (100 * (after.busy - before.busy)) / (after.all - before.all);
}

async function runParts(bench: Bench, parts: readonly Part[]): Promise<number> {
  const results: PartResult[] = [];
  const failed: string[] = [];
  const disturbance: number[] = [];
  for (const part of parts) {
    disturbance.push(await busyPercent());
    process.stderr.write(`> ${part.name}\n`);
    try {
      results.push(await part.run(bench));
    } catch (error) {
      if (bench.isClosing) return 130;
      failed.push(part.name);
      process.stderr.write(`The part ${part.name} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
    }
  }
  const { machine, versions } = await describeMachine(bench.options.python);
  const text = [
    `Measured on ${machine}.`,
    `Between the parts of the benchmark other programs kept ${formatNumber(percentile(disturbance, 0.5))} % of the processors busy.`,
    `\nWith ${versions}.\n\n${renderFigures(results)}`,
  ].join("\n");
  process.stdout.write(`\n${text}\n`);
  const isFull = parts.length === PARTS.length && !bench.options.isQuick && !bench.options.isProfiled && failed.length === 0;
  if (isFull) await writePage(text);
  if (bench.options.isProfiled) await printProfiles(parts.map(({ name }) => name));
  const left = await bench.close();
  if (left.length > 0) process.stderr.write(`${left.length} processes were left behind, and have been killed.\n`);
  if (failed.length > 0) process.stderr.write(`Failed: ${failed.join(", ")}\n`);
  return failed.length + left.length > 0 ? 1 : 0;
}
