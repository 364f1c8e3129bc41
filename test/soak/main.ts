/** The long run on a command line: how long and with which seed are its arguments; what came of it is printed. */
import { parseArgs } from "node:util";
import { chosenSeed } from "./random.ts";
import { run, type Outcome } from "./run.ts";

const USAGE = `npm run soak -- [MINUTES] [--sessions N] [--seed N]
  MINUTES     how long load and faults go on; 10 by default. In the second half the server itself is left alone: it may not grow
  --sessions  how many at one time; 20 by default
  --seed      repeats an earlier run's choices`;

/**
 * Runs it. The first SIGINT or SIGTERM ends it early, with a reckoning all the same.
 * @returns the exit code: 1 where anything was untrue, lost, left over or grew.
 */
export async function runSoak(args: string[]): Promise<number> {
  const chosen = choose(args);
  if (chosen === undefined) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const stop = new AbortController();
  const stopEarly = (): void => stop.abort();
  process.once("SIGINT", stopEarly).once("SIGTERM", stopEarly);
  const from = Date.now();
  const say = (line: string): void =>
    void process.stdout.write(`${String(Math.round((Date.now() - from) / 1000)).padStart(5)} s  ${line}\n`);
  say(`seed ${chosen.seed}, ${chosen.sessions} sessions, ${chosen.seconds / 60} minutes`);
  try {
    return tell(await run({ ...chosen, watchesGrowth: true, orphanSeconds: 120, say, signal: stop.signal }), say);
  } finally {
    process.off("SIGINT", stopEarly).off("SIGTERM", stopEarly);
  }
}

function choose(args: string[]): { seed: number; seconds: number; sessions: number } | undefined {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { sessions: { type: "string", default: "20" }, seed: { type: "string", default: String(chosenSeed()) } },
    });
    const chosen = { seed: Number(values.seed), seconds: Number(positionals[0] ?? 10) * 60, sessions: Number(values.sessions) };
    const isSound = positionals.length <= 1 && Number.isSafeInteger(chosen.seed) && chosen.seconds > 0 && chosen.sessions > 0;
    return isSound ? chosen : undefined;
  } catch {
    return undefined;
  }
}

function tell({ faults, ends, killed, growth }: Outcome, say: (line: string) => void): number {
  say(`executions ended: ${describe(ends)}`);
  say(`killed: ${describe(killed)}`);
  for (const [measure, share] of Object.entries(growth ?? {}))
    say(`${measure}: ${(share * 100).toFixed(1)} % from the end of the third quarter to the end of the last`);
  for (const fault of faults) say(`FAULT: ${fault}`);
  say(faults.length === 0 ? "Nothing lost, nothing untrue, nothing left over, nothing grew." : `${faults.length} faults`);
  return faults.length === 0 ? 0 : 1;
}

function describe(counts: Record<string, number>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
