/** The run: load on one server while its parts are killed, then the reckoning. One driver for the short run of `npm test` and the long one of `npm run soak`. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../src/errors.ts";
import { causeFaults } from "./faults.ts";
import { compare, describeFootprint, footprintOf, type Footprint, type Growth } from "./footprint.ts";
import { PatientClient } from "./patient-client.ts";
import { randomOf } from "./random.ts";
import { ServerUnderFire } from "./server-under-fire.ts";
import { SessionLoad } from "./session-load.ts";
import { judge } from "./verdict.ts";

/** How a run goes. */
export interface RunOptions {
  seed: number;
  seconds: number;
  /** That run at one time. */
  sessions: number;
  /** In its second half the server itself is left alone, and nothing that it takes may grow. */
  watchesGrowth: boolean;
  /** Ends the run before its time, with a reckoning. */
  signal?: AbortSignal;
  /** How long a kernel lives without a server; at the end what is left over is waited for twice as long. */
  orphanSeconds: number;
  /** Told now and then how far it is. */
  say: (line: string) => void;
}

/** What came of it. */
export interface Outcome {
  /** Untruths, losses and leftovers as sentences; none where all is well. */
  faults: string[];
  /** How often each end was told, and how often each thing was killed. */
  ends: Record<string, number>;
  killed: Record<string, number>;
  /** What the server takes in the last quarter against the one before it, 0.01 for one per cent more; undefined where it was not watched. */
  growth?: Record<string, number>;
}

/** A session ends after so many steps, and another takes its place: what the server keeps of sessions has an end with them. */
const STEPS = 12;

/** Runs it; resolves when nothing of it is left. */
export async function run(options: RunOptions): Promise<Outcome> {
  const { seed, say } = options;
  const server = await ServerUnderFire.make({ isInspected: options.watchesGrowth, orphanSeconds: options.orphanSeconds });
  const client = new PatientClient(server);
  const faults: string[] = [];
  const ends: Record<string, number> = {};
  const killed: Record<string, number> = {};
  /** What each place has now. */
  const current = new Map<number, SessionLoad>();
  const isStopped = (): boolean => faults.length > 20 || options.signal?.aborted === true;
  /** How many sessions each place has had: their names and their random numbers do not depend on the others'. */
  const rounds = new Map<number, number>();
  let reckonedCount = 0;
  const endedCount = (): number => [...current.values()].reduce((count, load) => count + load.endedCount, reckonedCount);

  const reckon = async (load: SessionLoad): Promise<void> => {
    faults.push(...(await judge(load, server, client)));
    for (const { result } of load.told) ends[result?.reason ?? "unknown"] = (ends[result?.reason ?? "unknown"] ?? 0) + 1;
  };
  const end = async (place: number, load: SessionLoad): Promise<void> => {
    current.delete(place);
    reckonedCount += load.endedCount;
    const { status } = await client.call("DELETE", load.path);
    if (status !== 200 && status !== 404) faults.push(`${load.id}: its end was answered with ${status}`);
  };
  const work = async (place: number, isOver: () => boolean): Promise<void> => {
    do {
      const round = rounds.get(place) ?? 0;
      rounds.set(place, round + 1);
      const load = new SessionLoad(`s${place}-${round}`, client, randomOf(seed, `session ${place} ${round}`));
      await load.start();
      current.set(place, load);
      // One at least: on a busy machine the starts may take all of the time.
      for (let step = 0; step === 0 || (step < STEPS && !isOver()); step += 1) await load.step();
      await reckon(load);
      if (!isOver()) await end(place, load);
    } while (!isOver());
  };
  /** Load and faults for a time; at its end each place holds the session that it had last. */
  const phase = async (name: string, seconds: number, mayEndServer: boolean): Promise<void> => {
    const until = Date.now() + seconds * 1000;
    const isOver = (): boolean => Date.now() > until || isStopped();
    const random = randomOf(seed, `faults of ${name}`);
    const sessions = (): string[] => [...current.values()].map(({ id }) => id);
    // A client that gave up is a finding; the others go on.
    const noteFault = (error: unknown): void => void faults.push(messageOf(error));
    await Promise.all([
      causeFaults({ server, random, sessions, mayEndServer: () => mayEndServer, isOver, endedCount, done: killed }),
      ...Array.from({ length: options.sessions }, (_, place) => work(place, isOver).catch(noteFault)),
    ]);
    say(`${name} is over: ${endedCount()} executions ended, ${faults.length} faults found`);
  };
  const rest = async (): Promise<Footprint> => {
    for (const [place, load] of current) await end(place, load);
    const footprint = await footprintOf(server);
    say(`at rest: ${describeFootprint(footprint)}`);
    return footprint;
  };

  try {
    await server.start("--keep-sessions");
    let growth: Growth | undefined;
    if (options.watchesGrowth) {
      await phase("the first half", options.seconds / 2, true);
      await rest();
      // From here on it is one server that all is asked of; what it has at rest it keeps for good.
      await phase("the third quarter", options.seconds / 4, false);
      const before = await rest();
      await phase("the last quarter", options.seconds / 4, false);
      growth = compare(before, await rest());
      faults.push(...growth.faults);
    } else {
      await phase("the run", options.seconds, true);
    }
    faults.push(...(await endOf(server, client, [...current.values()], options.orphanSeconds * 2000)));
    if (faults.length > 0) say((await server.lastWords(40)).join("\n"));
    return { faults, ends, killed, ...(growth && { growth: growth.shares }) };
  } catch (error) {
    say((await server.lastWords(40)).join("\n"));
    throw error;
  } finally {
    await server.remove();
  }
}

/** The last server ends with everything: what is then still there is left over. */
async function endOf(server: ServerUnderFire, client: PatientClient, loads: SessionLoad[], leftoverLimitMs: number): Promise<string[]> {
  const faults: string[] = [];
  await server.end("SIGTERM");
  await server.start();
  const { json } = await client.call("GET", "/sessions");
  const there = new Set((json["sessions"] as { session_id: string }[]).map((one) => one.session_id));
  for (const { id } of loads) if (!there.has(id)) faults.push(`the session ${id} is lost`);
  const code = await server.end("SIGTERM");
  if (code !== 0) faults.push(`the server exited with ${code}`);
  faults.push(...(await leftovers(server, leftoverLimitMs)));
  return faults;
}

async function leftovers(server: ServerUnderFire, limitMs: number): Promise<string[]> {
  const limit = Date.now() + limitMs;
  for (;;) {
    const processes = (await server.processes()).map(({ pid, command }) => `the process ${pid} is left: ${command}`);
    const sockets = (await filesBelow(join(server.folder, "run"))).map((file) => `the file ${file} is left`);
    const records = (await filesBelow(join(server.folder, "work"))).filter((file) =>
      /\.tmp$|session\.json|executions\.jsonl$|server\.json$/.test(file),
    );
    const found = [...processes, ...sockets, ...records.map((file) => `the record ${file} is left`)];
    if (found.length === 0 || Date.now() > limit) return found;
    // Kernels whose server was killed while they waited for a session end by themselves, after their time.
    await delay(100);
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch((): string[] => []);
  const files = await Promise.all(
    names.map(async (name) =>
      (await lstat(join(folder, name)).catch(() => undefined))?.isDirectory() === false ? [join(folder, name)] : [],
    ),
  );
  return files.flat();
}
