/** What walls around kernels cost: a session and its first imports, an execution, memory; without, and by each wall that the machine can raise. */
import { askMachine } from "../../src/provision/sandbox/sandbox.ts";
import type { Bench } from "../bench.ts";
import { pssMib } from "../process-figures.ts";
import type { Comparison, Series } from "../result.ts";
import { byTurns, inFlight, pause, sessionIds, timed, timedEach } from "../sampling.ts";
import type { SessionApi } from "../session-api.ts";
import { TaskweaverServer, type Walls } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";

const IMPORTS = "import pandas, numpy, matplotlib.pyplot";
const CODE = "1+1";
const PAUSE_MS = 200;
const SETTLE_MS = 3000;
const SESSIONS = 20;
const IN_FLIGHT = 4;

const WHO: Record<Walls, string> = { none: "this server", namespaces: "with walls of namespaces", landlock: "with walls of Landlock" };

export const walls: Part = {
  name: "walls",
  run: async (bench) => {
    const { level, landlock } = await askMachine(bench.options.python);
    const kinds: Walls[] = ["none"];
    if (level === "namespaces") kinds.push("namespaces");
    if (landlock >= 6) kinds.push("landlock");
    const times = await withServers(bench, kinds, [], (servers) => compareTimes(bench, kinds, servers));
    const memory: Series[] = [];
    // One after the other: what a server has started is told from what else runs by there being no other.
    for (const kind of kinds) memory.push(await withServers(bench, [kind], [], ([server]) => measureMemory(bench, kind, server)));
    const rows = times.map(([first, execution], index) => ({ first, execution, memory: memory[index] }));
    return { comparisons: comparisonsOf(rows) };
  },
};

/** Starts one server after the other, and has all of them at once. */
function withServers<T>(
  bench: Bench,
  kinds: readonly Walls[],
  started: readonly TaskweaverServer[],
  body: (servers: readonly TaskweaverServer[]) => Promise<T>,
): Promise<T> {
  const kind = kinds[started.length];
  if (kind === undefined) return body(started);
  return bench.using(TaskweaverServer.start(bench, `walls-${kind}`, kind), (server) =>
    withServers(bench, kinds, [...started, server], body),
  );
}

async function compareTimes(bench: Bench, kinds: readonly Walls[], servers: readonly TaskweaverServer[]): Promise<[Series, Series][]> {
  const first = await byTurns(
    bench.count(10, 2),
    servers.map(({ api }, index) => ({ who: WHO[kinds[index] ?? "none"], sample: () => firstResults(api, bench.count(6, 5)) })),
  );
  for (const { api } of servers) await api.create("steady");
  const executions = await byTurns(
    bench.count(10, 2),
    servers.map(({ api }, index) => ({
      who: WHO[kinds[index] ?? "none"],
      sample: () => timedEach(bench.count(50, 25), () => api.execute("steady", CODE)),
    })),
  );
  return first.map((series, index) => [series, executions[index] ?? series]);
}

async function firstResults(api: SessionApi, count: number): Promise<number[]> {
  const samples: number[] = [];
  for (const id of sessionIds("first", count)) {
    await pause(PAUSE_MS);
    samples.push(
      await timed(async () => {
        await api.create(id);
        await api.execute(id, IMPORTS);
      }),
    );
    await api.remove(id);
  }
  return samples;
}

async function measureMemory(bench: Bench, kind: Walls, server: TaskweaverServer | undefined): Promise<Series> {
  if (server === undefined) throw new Error("There is no server.");
  await inFlight(IN_FLIGHT, sessionIds("held", SESSIONS), async (id) => {
    await server.api.create(id);
    await server.api.execute(id, CODE);
  });
  await pause(SETTLE_MS);
  const pids = (await bench.pids()).filter((pid) => pid !== server.pid);
  return { who: WHO[kind], samples: [(await pssMib(pids)) / SESSIONS] };
}

function comparisonsOf(rows: readonly { first: Series; execution: Series; memory: Series | undefined }[]): readonly Comparison[] {
  const [ours, ...others] = rows;
  if (ours?.memory === undefined) throw new Error("There are no samples.");
  const memory = others.flatMap((row) => (row.memory === undefined ? [] : [row.memory]));
  return [
    {
      what: "walls: session made, first execution imports pandas, numpy, matplotlib",
      unit: "ms",
      ours: ours.first,
      others: others.map(({ first }) => first),
    },
    { what: `walls: \`${CODE}\``, unit: "ms", ours: ours.execution, others: others.map(({ execution }) => execution) },
    { what: `walls: memory (PSS) per session, ${SESSIONS} sessions after \`${CODE}\``, unit: "MiB", ours: ours.memory, others: memory },
  ];
}
