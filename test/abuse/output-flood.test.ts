/**
 * Output flood: sessions write as fast as they can while their readers read nothing, so that a server that keeps what waits runs out of memory, and one that
 * takes all that comes does nothing else. The memory of both must stay flat, and everybody else must be served. TASKWEAVER_TEST_FLOOD_SECONDS makes it last longer.
 */
import { connect } from "node:net";
import { expect, test } from "vitest";
import type { ExecutionResult, ExecutionStatus } from "../../src/api/index.ts";
import { startMeasuredServer } from "./measured-server.ts";
import { whenDone } from "../helpers/when-done.ts";

const MIB = 1024 * 1024;
const SECONDS = Number(process.env["TASKWEAVER_TEST_FLOOD_SECONDS"] ?? 2);
/** Tells how often it wrote, and by how much the kernel's own memory grew. */
const flood = (write: string, leastCount: number): string => `
import time; from IPython.display import HTML, display
def memory(): return int(open("/proc/self/statm").read().split()[1]) * 4096
begun, end, text, count = memory(), time.time() + ${SECONDS}, "x" * 1_000_000, 0
while count < ${leastCount} or time.time() < end:
    ${write}; count += 1
[count, memory() - begun]`;
/** More than the 64 MiB that are kept. */
const PRINTS = flood("print(text)", 70);
const DISPLAYS = flood("display(HTML(text))", 0);

test("of three sessions, none of it read: memory stays flat, others are served, and results are truthful", async () => {
  const server = await startMeasuredServer();
  for (const session_id of ["a", "b", "c", "other"]) await server.call("/sessions", { session_id });
  await server.call("/sessions/other/execute", { exec_id: "first", code: "kept = 1" });
  const before = server.memoryBytes();
  for (const name of ["a", "b", "c"]) {
    await server.call(`/sessions/${name}/execute`, { exec_id: "flood", code: name === "c" ? DISPLAYS : PRINTS, stream: true });
    leaveUnread(server.url, name);
  }
  let [peak, served] = [0, 0];
  for (let running = ["a", "b", "c"]; running.length > 0;) {
    const lists = await Promise.all(
      running.map((name) => server.call<{ executions: { state: string }[] }>(`/sessions/${name}/executions`)),
    );
    running = running.filter((_, index) => lists[index]?.executions[0]?.state !== "done");
    expect(await server.call("/sessions/other/execute", { exec_id: `again-${served}`, code: "kept" })).toMatchObject({ output: 1 });
    served += 1;
    peak = Math.max(peak, server.memoryBytes());
  }
  expect(peak - before).toBeLessThan(400 * MIB);
  expect(served).toBeGreaterThan(5);
  for (const [name, written] of [
    ["a", ({ truncated }: ExecutionResult) => Number(truncated?.stdout?.bytes_written) / 1_000_001],
    ["c", ({ artifact }: ExecutionResult) => artifact.length],
  ] as const) {
    const { result } = await server.call<ExecutionStatus>(`/sessions/${name}/execute/flood`);
    if (result === undefined) throw new Error("There is no result.");
    const [count, grownBytes] = result.output as number[];
    expect(result.reason).toBe("completed");
    expect(written(result)).toBe(count);
    expect(grownBytes).toBeLessThan(150 * MIB);
  }
}, 180_000);

/** Opens the stream of an execution and never reads it. */
function leaveUnread(url: string, sessionId: string): void {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  whenDone(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.write(`GET /api/v1/sessions/${sessionId}/execute/flood/stream HTTP/1.1\r\nHost: localhost\r\n\r\n`);
}
