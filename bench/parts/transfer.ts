/** A large file sent to a session and fetched from it: how much the memory of who passes it grows meanwhile. */
import type { Bench } from "../bench.ts";
import { peakRssMib, resetPeakRssMib } from "../process-figures.ts";
import { formatNumber, type PartResult } from "../result.ts";
import { pause, timed } from "../sampling.ts";
import type { SessionApi } from "../session-api.ts";
import { TaskweaverServer } from "../taskweaver-server.ts";
import type { Part } from "./part.ts";

const GIB = 1024 ** 3;
const FILE = "large.bin";
const WARM_UP_BYTES = 1024 ** 2;
const SETTLE_MS = 1000;
const REACH_MB = 64;
const MIB_IN_MB = 1.048576;

/** Up by a raw PUT, down by a GET. */
export const transfer: Part = {
  name: "transfer",
  run: (bench) =>
    bench.using(TaskweaverServer.start(bench, "transfer"), (server) =>
      upAndDown(bench, server, { title: "A large file", whose: "the server's memory" }),
    ),
};

/** Measures it with a server or a gateway, in a session of its own. */
export async function upAndDown(
  bench: Bench,
  { api, pid }: { api: SessionApi; pid: number },
  { title, whose }: { title: string; whose: string },
): Promise<PartResult> {
  const sizeBytes = bench.count(GIB, GIB / 4);
  await api.create("a");
  await api.upload("a", FILE, WARM_UP_BYTES);
  await api.download("a", FILE);
  const rows: string[][] = [];
  const grown: number[] = [];
  const measure = async (what: string, call: () => Promise<unknown>): Promise<void> => {
    await pause(SETTLE_MS);
    const before = await resetPeakRssMib(pid);
    const seconds = (await timed(call)) / 1000;
    const grownMb = ((await peakRssMib(pid)) - before) * MIB_IN_MB;
    grown.push(grownMb);
    rows.push([what, formatNumber(sizeBytes / GIB), formatNumber(seconds), formatNumber(sizeBytes / 1e6 / seconds), formatNumber(grownMb)]);
  };
  await measure("upload (raw PUT)", () => api.upload("a", FILE, sizeBytes));
  await measure("download", async () => {
    const receivedBytes = await api.download("a", FILE);
    if (receivedBytes !== sizeBytes) throw new Error(`${receivedBytes} bytes came, not ${sizeBytes}.`);
  });
  return {
    tables: [{ title, head: ["what", "GiB", "s", "MB/s", `${whose} grows by MB`], rows }],
    goals: [
      {
        what: `${title.toLowerCase()}: ${formatNumber(sizeBytes / GIB)} GiB up and down`,
        reach: `${whose} grows by less than ${REACH_MB} MB`,
        measured: `${grown.map(formatNumber).join(" and ")} MB`,
        isReached: grown.every((each) => each < REACH_MB),
      },
    ],
  };
}
