/** `1+1` across 50 sessions at once, against the plain FastAPI server; and what a session of each costs in memory. */
import type { Bench } from "../bench.ts";
import { FastapiPeer } from "../peers/fastapi-peer.ts";
import { pssMib } from "../process-figures.ts";
import { formatNumber, p50, type PartResult } from "../result.ts";
import { byTurns, inFlight, sessionIds } from "../sampling.ts";
import type { SessionApi } from "../session-api.ts";
import { TaskweaverServer } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";

const CODE = "1+1";
const CREATED_AT_A_TIME = 4;
const REACH_RATIO = 5;

/** Every session has one execution in flight, all the time. */
export const throughput: Part = {
  name: "throughput",
  run: (bench) =>
    bench.using(TaskweaverServer.start(bench, "throughput"), (server) =>
      bench.using(FastapiPeer.start(bench), (fastapi) => compare(bench, server, fastapi)),
    ),
};

async function compare(bench: Bench, server: TaskweaverServer, fastapi: FastapiPeer): Promise<PartResult> {
  const ids = sessionIds("busy", bench.count(50, 10));
  await open(server.api, ids);
  // All other processes of this run are one of the servers themselves.
  const [pids, isOurs] = [await bench.pids(), (pid: number) => pid !== server.pid && pid !== fastapi.pid];
  const oursMib = (await pssMib(pids.filter(isOurs))) / ids.length;
  bench.progress(`starting ${ids.length} stock kernels`);
  await open(fastapi.api, ids);
  const more = (await bench.pids()).filter((pid) => isOurs(pid) && !pids.includes(pid));
  const theirsMib = (await pssMib(more)) / ids.length;

  const windowMs = bench.count(3000, 1000);
  const [ours, theirs] = await byTurns(bench.count(5, 3), [
    { who: "this server", sample: async () => [await executionsPerSecond(server.api, ids, windowMs)] },
    { who: "FastAPI peer", sample: async () => [await executionsPerSecond(fastapi.api, ids, windowMs)] },
  ]);
  if (!ours || !theirs) throw new Error("There are no samples.");
  const ratio = p50(ours) / p50(theirs);
  const what = `\`${CODE}\` across ${ids.length} sessions at once`;
  return {
    comparisons: [
      { what, unit: "executions/s", ours, others: [theirs] },
      {
        what: `memory (PSS) per session, ${ids.length} sessions after \`${CODE}\``,
        unit: "MiB",
        ours: { who: "this server", samples: [oursMib] },
        others: [{ who: "FastAPI peer", samples: [theirsMib] }],
      },
    ],
    goals: [
      {
        what: `${what}, executions a second`,
        reach: `at least ${REACH_RATIO} times the FastAPI peer`,
        measured: `${formatNumber(p50(ours))}, ${formatNumber(ratio)} times`,
        isReached: ratio >= REACH_RATIO,
      },
    ],
  };
}

async function open(api: SessionApi, ids: readonly string[]): Promise<void> {
  await inFlight(CREATED_AT_A_TIME, ids, async (id) => {
    await api.create(id);
    await api.execute(id, CODE);
  });
}

async function executionsPerSecond(api: SessionApi, ids: readonly string[], windowMs: number): Promise<number> {
  const started = performance.now();
  const counts = await Promise.all(
    ids.map(async (id) => {
      let count = 0;
      for (; performance.now() - started < windowMs; count += 1) await api.execute(id, CODE);
      return count;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - started) / 1000);
}
