/** Printed text: how soon a reader of the event stream has it, and what much of it costs; against a stock kernel. */
import { createParser } from "eventsource-parser";
import type { Bench } from "../bench.ts";
import { StockKernel } from "../peers/stock-kernel.ts";
import { formatNumber, p50, type PartResult } from "../result.ts";
import { byTurns, timed } from "../sampling.ts";
import type { SessionApi } from "../session-api.ts";
import { TaskweaverServer } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";

const LINES_A_TURN = 20;
/** Each line is the time at which it was printed; Node's `hrtime` and Python's `monotonic_ns` are the same clock. */
const PRINT_TIMES = `import time
for _ in range(${LINES_A_TURN}):
    print(time.monotonic_ns())
    time.sleep(0.05)`;
const REACH_LATENCY_MS = 5;

const PRINTS = 100_000;
const PRINT_MANY = `for i in range(${PRINTS}): print(i)`;
const REACH_RATIO = 1.1;

/** A line every 50 ms. */
export const printLatency: Part = {
  name: "print-latency",
  run: (bench) => withBoth(bench, "print-latency", (api, stock) => latency(bench, api, stock)),
};

/** 100,000 lines without a pause. */
export const manyPrints: Part = {
  name: "many-prints",
  run: (bench) => withBoth(bench, "many-prints", (api, stock) => prints(bench, api, stock)),
};

function withBoth(bench: Bench, name: string, body: (api: SessionApi, stock: StockKernel) => Promise<PartResult>): Promise<PartResult> {
  return bench.using(TaskweaverServer.start(bench, name), async ({ api }) => {
    await api.create("a");
    return bench.using(StockKernel.start(bench), (stock) => body(api, stock));
  });
}

async function latency(bench: Bench, api: SessionApi, stock: StockKernel): Promise<PartResult> {
  const [ours, theirs] = await byTurns(bench.count(10, 3), [
    { who: "this server, SSE", sample: () => readLatencies(api, "a") },
    { who: "stock kernel, iopub", sample: () => stock.printLatencies(PRINT_TIMES) },
  ]);
  if (!ours || !theirs) throw new Error("There are no samples.");
  return {
    comparisons: [{ what: "`print` until the reader has it", unit: "ms", ours, others: [theirs] }],
    goals: [
      {
        what: "`print` to the SSE reader, p50",
        reach: `at most ${REACH_LATENCY_MS} ms`,
        measured: `${formatNumber(p50(ours))} ms`,
        isReached: p50(ours) <= REACH_LATENCY_MS,
      },
    ],
  };
}

async function readLatencies(api: SessionApi, sessionId: string): Promise<number[]> {
  const response = await api.stream(sessionId, PRINT_TIMES);
  const latenciesMs: number[] = [];
  const parser = createParser({
    onEvent({ event, data }) {
      const now = process.hrtime.bigint();
      if (event !== "output") return;
      const { text } = JSON.parse(data) as { text: string };
      for (const line of text.split("\n")) if (line !== "") latenciesMs.push(Number(now - BigInt(line)) / 1e6);
    },
  });
  response.setEncoding("utf8");
  for await (const chunk of response) parser.feed(chunk as string);
  if (latenciesMs.length !== LINES_A_TURN) throw new Error(`${latenciesMs.length} lines came, not ${LINES_A_TURN}.`);
  return latenciesMs;
}

async function prints(bench: Bench, api: SessionApi, stock: StockKernel): Promise<PartResult> {
  const [ours, theirs] = await byTurns(bench.count(12, 4), [
    { who: "this server, HTTP", sample: async () => [await timed(() => printMany(api, "a"))] },
    { who: "stock kernel, bare", sample: () => stock.run(PRINT_MANY, 1) },
  ]);
  if (!ours || !theirs) throw new Error("There are no samples.");
  const ratio = p50(ours) / p50(theirs);
  return {
    comparisons: [{ what: "100,000 prints in a loop", unit: "ms", ours, others: [theirs] }],
    goals: [
      {
        what: "100,000 prints in a loop",
        reach: `at most ${REACH_RATIO} times the stock kernel`,
        measured: `${formatNumber(p50(ours))} ms, ${formatNumber(ratio)} times`,
        isReached: ratio <= REACH_RATIO,
      },
    ],
  };
}

async function printMany(api: SessionApi, sessionId: string): Promise<void> {
  const { stdout } = await api.execute(sessionId, PRINT_MANY);
  if (!stdout.join("").endsWith(`\n${PRINTS - 1}\n`)) throw new Error("The output is not whole.");
}
