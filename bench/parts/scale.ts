/** What a session costs where there are many: time, memory, and processor time while idle. */
import type { Bench } from "../bench.ts";
import { processorMs, pssMib, rssMib } from "../process-figures.ts";
import { formatNumber, percentile, type PartResult } from "../result.ts";
import { inFlight, pause, sessionIds, timed, timedEach } from "../sampling.ts";
import type { SessionApi } from "../session-api.ts";
import { TaskweaverServer } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";

const CODE = "1+1";
const IN_FLIGHT = 16;

/** After the last request, until memory is looked at and idleness begins. */
const SETTLE_MS = 3000;
const PAUSE_MS = 200;
const MEMORY_AT = 100;
const REACH_MIB = 12;

const MANY = 200;
const REACH_MANY_S = 4;
const REACH_IDLE_PERCENT = 1;

/** At 1, 10, 50, 100 and 200 sessions. */
export const scale: Part = {
  name: "scale",
  run: (bench) => bench.using(TaskweaverServer.start(bench, "scale"), (server) => stepByStep(bench, server)),
};

/** 200 sessions created and used, then left alone. */
export const manySessions: Part = {
  name: "many-sessions",
  run: (bench) => bench.using(TaskweaverServer.start(bench, "many-sessions"), (server) => createMany(bench, server)),
};

async function stepByStep(bench: Bench, server: TaskweaverServer): Promise<PartResult> {
  const { api } = server;
  const rows: string[][] = [];
  let memoryMib = Number.NaN;
  let held: string[] = [];
  for (const count of bench.options.isQuick ? [1, 10, MEMORY_AT] : [1, 10, 50, MEMORY_AT, 200]) {
    const more = sessionIds("held", count - held.length, held.length);
    await inFlight(IN_FLIGHT, more, (id) => createAndUse(api, id));
    held = [...held, ...more];
    await pause(PAUSE_MS);
    const creation = await createOneMore(api, bench.count(10, 5));
    const samples = await timedEach(bench.count(200, 100), (index) => api.execute(held[index % held.length] ?? "", CODE));
    await pause(SETTLE_MS);
    const perSessionMib = (await pssMib(await kernelPids(bench, server))) / count;
    if (count === MEMORY_AT) memoryMib = perSessionMib;
    const figures = [percentile(creation, 0.5), percentile(creation, 0.95), percentile(samples, 0.5), percentile(samples, 0.95)];
    rows.push([String(count), ...[...figures, perSessionMib, await rssMib(server.pid)].map(formatNumber)]);
    bench.progress(`${count} sessions`);
  }
  return {
    tables: [
      {
        title: "Cost against scale",
        head: [
          "sessions",
          "one more, made and used: p50 ms",
          "p95 ms",
          `\`${CODE}\`: p50 ms`,
          "p95 ms",
          "PSS per session MiB",
          "server's RSS MiB",
        ],
        rows,
      },
    ],
    goals: [
      {
        what: `memory (PSS) per idle session, ${MEMORY_AT} sessions after \`${CODE}\``,
        reach: `at most ${REACH_MIB} MiB`,
        measured: `${formatNumber(memoryMib)} MiB`,
        isReached: memoryMib <= REACH_MIB,
      },
    ],
  };
}

async function createOneMore(api: SessionApi, count: number): Promise<number[]> {
  const samples: number[] = [];
  for (const id of sessionIds("more", count)) {
    await pause(PAUSE_MS);
    samples.push(await timed(() => createAndUse(api, id)));
    await api.remove(id);
  }
  return samples;
}

async function createMany(bench: Bench, server: TaskweaverServer): Promise<PartResult> {
  const { api } = server;
  const ids = sessionIds("many", MANY);
  const seconds = [];
  for (let round = 0; round < bench.count(3, 1); round += 1) {
    if (round > 0) await inFlight(IN_FLIGHT, ids, (id) => api.remove(id));
    await pause(SETTLE_MS);
    seconds.push((await timed(() => inFlight(IN_FLIGHT, ids, (id) => createAndUse(api, id)))) / 1000);
    bench.progress(`${MANY} sessions in ${formatNumber(seconds.at(-1) ?? 0)} s`);
  }
  await pause(SETTLE_MS);
  const pids = [server.pid, ...(await kernelPids(bench, server))];
  const before = await processorMs(pids);
  const idleMs = bench.count(10_000, 5_000);
  await pause(idleMs);
  const idlePercent = ((await processorMs(pids)) - before) / (idleMs / 100);
  const ours = { who: "this server", samples: seconds };
  const typical = percentile(seconds, 0.5);
  return {
    comparisons: [{ what: `${MANY} sessions made and used, ${IN_FLIGHT} at a time`, unit: "s", ours, others: [] }],
    goals: [
      {
        what: `${MANY} sessions created and used`,
        reach: `under ${REACH_MANY_S} s in all; idle, server and kernels together under ${REACH_IDLE_PERCENT} % of one core`,
        measured: `${formatNumber(typical)} s; ${formatNumber(idlePercent)} %`,
        isReached: typical < REACH_MANY_S && idlePercent < REACH_IDLE_PERCENT,
      },
    ],
  };
}

async function createAndUse(api: SessionApi, id: string): Promise<void> {
  await api.create(id);
  await api.execute(id, CODE);
}

/** Kernels, waiting ones too, and what forks them: all that this run has started but the server. */
async function kernelPids(bench: Bench, server: TaskweaverServer): Promise<number[]> {
  return (await bench.pids()).filter((pid) => pid !== server.pid);
}
