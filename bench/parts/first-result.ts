/** A session made and its first execution, which imports pandas, numpy and matplotlib; against a stock kernel from cold. */
import type { Bench } from "../bench.ts";
import { KernelGateway } from "../peers/kernel-gateway.ts";
import { StockKernel } from "../peers/stock-kernel.ts";
import { formatNumber, p50, type PartResult } from "../result.ts";
import { byTurns, inFlight, pause, sessionIds, timed } from "../sampling.ts";
import type { SessionApi } from "../session-api.ts";
import { TaskweaverServer } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";

const IMPORTS = "import pandas, numpy, matplotlib.pyplot";
const REACH_MS = 10;
const REACH_RATIO = 100;

/** People and agents do not ask for sessions in the same instant; the row without a pause shows what happens where they do. */
const PAUSE_MS = 200;
const AT_ONCE = 30;
const REACH_AT_ONCE_MS = 1000;

/** One session after the other. */
export const firstResult: Part = {
  name: "first-result",
  run: (bench) =>
    bench.using(TaskweaverServer.start(bench, "first-result"), ({ api }) =>
      bench.using(StockKernel.start(bench, false), (stock) =>
        bench.using(KernelGateway.start(bench), (gateway) => compare(bench, api, stock, gateway)),
      ),
    ),
};

/** 30 sessions asked for in the same instant. */
export const atOnce: Part = {
  name: "at-once",
  run: (bench) => bench.using(TaskweaverServer.start(bench, "at-once"), ({ api }) => manyAtOnce(bench, api)),
};

async function compare(bench: Bench, api: SessionApi, stock: StockKernel, gateway: KernelGateway): Promise<PartResult> {
  const [ours, cold, viaGateway] = await byTurns(bench.count(10, 2), [
    { who: "this server", sample: () => oneByOne(api, bench.count(6, 5), PAUSE_MS) },
    { who: "stock kernel", sample: () => stock.coldStart(IMPORTS) },
    { who: "Kernel Gateway", sample: () => throughGateway(gateway) },
  ]);
  if (!ours || !cold || !viaGateway) throw new Error("There are no samples.");
  const withoutPause = { who: "this server", samples: await oneByOne(api, bench.count(40, 15), 0) };
  const ratio = p50(cold) / p50(ours);
  const what = "session made, first execution imports pandas, numpy, matplotlib";
  return {
    comparisons: [
      { what, unit: "ms", ours, others: [cold, viaGateway] },
      { what: `${what}; sessions made and ended without a pause`, unit: "ms", ours: withoutPause, others: [] },
    ],
    goals: [
      {
        what: `${what}, p50`,
        reach: `at most ${REACH_MS} ms, and ${REACH_RATIO} times quicker than a cold stock kernel`,
        measured: `${formatNumber(p50(ours))} ms, ${formatNumber(ratio)} times quicker`,
        isReached: p50(ours) <= REACH_MS && ratio >= REACH_RATIO,
      },
    ],
  };
}

async function oneByOne(api: SessionApi, count: number, pauseMs: number): Promise<number[]> {
  const samples: number[] = [];
  for (const id of sessionIds("one", count)) {
    await pause(pauseMs);
    samples.push(await timed(() => useFirst(api, id)));
    await api.remove(id);
  }
  return samples;
}

async function useFirst(api: SessionApi, id: string): Promise<void> {
  await api.create(id);
  await api.execute(id, IMPORTS);
}

async function throughGateway(gateway: KernelGateway): Promise<number[]> {
  const started = performance.now();
  const kernel = await gateway.openKernel();
  try {
    await kernel.run(IMPORTS);
    return [performance.now() - started];
  } finally {
    await kernel.close();
  }
}

async function manyAtOnce(bench: Bench, api: SessionApi): Promise<PartResult> {
  const ids = sessionIds("many", AT_ONCE);
  const samples: number[] = [];
  for (let round = 0; round < bench.count(5, 2); round += 1) {
    await pause(1000);
    samples.push(await timed(() => inFlight(AT_ONCE, ids, (id) => useFirst(api, id))));
    await inFlight(AT_ONCE, ids, (id) => api.remove(id));
  }
  const ours = { who: "this server", samples };
  return {
    comparisons: [{ what: `the same, ${AT_ONCE} sessions at once, until all are through`, unit: "ms", ours, others: [] }],
    goals: [
      {
        what: `the same, ${AT_ONCE} sessions asked for at once, all through`,
        reach: "under 1 s",
        measured: `${formatNumber(p50(ours) / 1000)} s`,
        isReached: p50(ours) < REACH_AT_ONCE_MS,
      },
    ],
  };
}
