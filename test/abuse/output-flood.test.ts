/**
 * Output flood: sessions write as fast as they can while their readers read nothing, so that a server that keeps what waits runs out of memory, and one that
 * takes all that comes does nothing else. Memory must stay flat, and everybody else must be served. TASKWEAVER_TEST_FLOOD_SECONDS makes it last longer.
 */
import { connect } from "node:net";
import { expect, test } from "vitest";
import type { ExecutionStatus } from "../../src/api/index.ts";
import { startMeasuredServer } from "./measured-server.ts";
import { whenDone } from "../helpers/when-done.ts";

const MIB = 1024 * 1024;
const SECONDS = Number(process.env["TASKWEAVER_TEST_FLOOD_SECONDS"] ?? 2);
/** Far more than the 64 MiB of each that are kept, if nothing slows it. */
const FLOOD = `
import time
end, text, count = time.time() + ${SECONDS}, "x" * 1_000_000, 0
while time.time() < end:
    print(text); count += 1
count`;
const DISPLAYS = FLOOD.replace("import time", "import time; from IPython.display import HTML, display").replace(
  "print(text)",
  "display(HTML(text))",
);

test("of three sessions, none of it read: memory stays flat, others are served, and results are truthful", async () => {
  const server = await startMeasuredServer();
  for (const session_id of ["a", "b", "c", "other"]) await server.call("/sessions", { session_id });
  await server.call("/sessions/other/execute", { exec_id: "first", code: "kept = 1" });
  for (const name of ["a", "b", "c"]) {
    await server.call(`/sessions/${name}/execute`, { exec_id: "flood", code: name === "c" ? DISPLAYS : FLOOD, stream: true });
    leaveUnread(server.url, name);
  }
  const before = server.memoryBytes();
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
  const { result: shown } = await server.call<ExecutionStatus>("/sessions/c/execute/flood");
  expect(shown).toMatchObject({ reason: "completed", output: shown?.artifact.length });
  const { result } = await server.call<ExecutionStatus>("/sessions/a/execute/flood");
  expect(result).toMatchObject({ reason: "completed", truncated: { stdout: { bytes_kept: 64 * MIB } } });
  expect(result?.truncated?.stdout?.bytes_written).toBe(Number(result?.output) * 1_000_001);
}, 180_000);

/** Opens the stream of an execution and never reads it. */
function leaveUnread(url: string, sessionId: string): void {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  whenDone(() => socket.destroy());
  socket.on("error", () => undefined);
  socket.write(`GET /api/v1/sessions/${sessionId}/execute/flood/stream HTTP/1.1\r\nHost: localhost\r\n\r\n`);
}
