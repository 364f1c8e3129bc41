/** `1+1` in one session, against the bare round trip of a stock kernel and two other servers; and beside a large variable. */
import type { Bench } from "../bench.ts";
import { FastapiPeer } from "../peers/fastapi-peer.ts";
import { KernelGateway } from "../peers/kernel-gateway.ts";
import { StockKernel } from "../peers/stock-kernel.ts";
import { formatNumber, p50, type PartResult } from "../result.ts";
import { byTurns, timedEach } from "../sampling.ts";
import type { SessionApi } from "../session-api.ts";
import { TaskweaverServer } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";

const CODE = "1+1";
const BURST = 20;
const GATEWAY_BURST = 5;
const REACH_RATIO = 0.6;
const NUMBERS = 20_000_000;
const REACH_LARGE_RATIO = 1.2;

/** Against others. */
export const roundTrip: Part = {
  name: "round-trip",
  run: (bench) =>
    bench.using(TaskweaverServer.start(bench, "round-trip"), ({ api }) =>
      bench.using(StockKernel.start(bench), (stock) =>
        bench.using(FastapiPeer.start(bench), (fastapi) =>
          bench.using(KernelGateway.start(bench), (gateway) => compare(bench, api, stock, fastapi.api, gateway)),
        ),
      ),
    ),
};

/** Beside a list of 20 million numbers, against an empty session. */
export const largeVariable: Part = {
  name: "large-variable",
  run: (bench) => bench.using(TaskweaverServer.start(bench, "large-variable"), ({ api }) => besideLarge(bench, api)),
};

async function compare(
  bench: Bench,
  api: SessionApi,
  stock: StockKernel,
  fastapi: SessionApi,
  gateway: KernelGateway,
): Promise<PartResult> {
  await Promise.all([api.create("a"), fastapi.create("a")]);
  return bench.using(gateway.openKernel(), async (kernel) => {
    const [ours, bare, viaFastapi, viaGateway] = await byTurns(bench.count(25, 10), [
      { who: "this server, HTTP", sample: () => timedEach(BURST, () => api.execute("a", CODE)) },
      { who: "stock kernel, bare", sample: () => stock.run(CODE, BURST) },
      { who: "FastAPI peer, HTTP", sample: () => timedEach(BURST, () => fastapi.execute("a", CODE)) },
      { who: "Kernel Gateway, WebSocket", sample: () => timedEach(GATEWAY_BURST, () => kernel.run(CODE)) },
    ]);
    if (!ours || !bare || !viaFastapi || !viaGateway) throw new Error("There are no samples.");
    const ratio = p50(ours) / p50(bare);
    return {
      comparisons: [{ what: `\`${CODE}\``, unit: "ms", ours, others: [bare, viaFastapi, viaGateway] }],
      goals: [
        {
          what: `\`${CODE}\` over HTTP, p50`,
          reach: `at most ${REACH_RATIO} of a stock kernel's bare round trip`,
          measured: `${formatNumber(p50(ours))} ms, ${formatNumber(ratio)} of it`,
          isReached: ratio <= REACH_RATIO,
        },
      ],
    };
  });
}

async function besideLarge(bench: Bench, api: SessionApi): Promise<PartResult> {
  await Promise.all([api.create("empty"), api.create("large")]);
  await api.execute("large", `numbers = list(range(${NUMBERS}))`);
  const [ours, empty] = await byTurns(bench.count(15, 8), [
    { who: "this server, large variable", sample: () => timedEach(BURST, () => api.execute("large", CODE)) },
    { who: "this server, empty session", sample: () => timedEach(BURST, () => api.execute("empty", CODE)) },
  ]);
  if (!ours || !empty) throw new Error("There are no samples.");
  const ratio = p50(ours) / p50(empty);
  const what = `\`${CODE}\` beside a list of ${NUMBERS / 1e6} million numbers`;
  return {
    comparisons: [{ what, unit: "ms", ours, others: [empty] }],
    goals: [
      {
        what: `${what}, p50`,
        reach: "within 20 % of an empty session",
        measured: `${formatNumber(p50(ours))} ms, ${formatNumber(ratio)} times an empty session`,
        isReached: ratio <= REACH_LARGE_RATIO,
      },
    ],
  };
}
