/**
 * Long lives: thousands of executions in one session, and sessions made and ended again and again, so that whatever is kept of each adds up. What is kept must
 * be little, and what is over must leave nothing. TASKWEAVER_TEST_EXECUTIONS and TASKWEAVER_TEST_SESSIONS make the lives longer.
 */
import { expect, test } from "vitest";
import { startMeasuredServer } from "./measured-server.ts";

const EXECUTIONS = Number(process.env["TASKWEAVER_TEST_EXECUTIONS"] ?? 1000);
const SESSIONS = Number(process.env["TASKWEAVER_TEST_SESSIONS"] ?? 60);
const MIB = 1024 * 1024;

test("the executions of one session add little to memory and no open file, and each is readable to the end", async () => {
  const server = await startMeasuredServer("--stream-retention", "0");
  await server.call("/sessions", { session_id: "long" });
  const runTo = async (from: number, to: number): Promise<void> => {
    // 2 KB of text each: kept in memory, it would show.
    for (let count = from; count < to; count += 1)
      await server.call("/sessions/long/execute", { exec_id: `x${count}`, code: codeOf(count) });
  };
  const half = EXECUTIONS / 2;
  await runTo(0, half);
  const [memoryBytes, openFiles] = [server.memoryBytes(), server.openFiles()];
  await runTo(half, EXECUTIONS);
  expect(server.openFiles()).toBeLessThanOrEqual(openFiles + 2);
  expect(server.memoryBytes() - memoryBytes).toBeLessThan(32 * MIB + half * 4096);
  for (const count of [0, half, EXECUTIONS - 1]) {
    const text = `${`${count} `.repeat(400)}\n`;
    expect(await server.call(`/sessions/long/execute/x${count}`)).toMatchObject({ code: codeOf(count), result: { stdout: [text] } });
  }
  expect((await server.call<{ executions: unknown[] }>("/sessions/long/executions")).executions).toHaveLength(EXECUTIONS);
}, 300_000);

test("sessions that have ended leave neither memory nor open files", async () => {
  const server = await startMeasuredServer();
  const live = async (name: string): Promise<void> => {
    await server.call("/sessions", { session_id: name });
    await server.call(`/sessions/${name}/execute`, { exec_id: "x", code: "print('x' * 100_000)" });
    await server.client.stop(name);
  };
  const some = SESSIONS / 2;
  for (let count = 0; count < some; count += 1) await live(`first-${count}`);
  const [memoryBytes, openFiles] = [server.memoryBytes(), server.openFiles()];
  for (let count = 0; count < some; count += 1) await live(`second-${count}`);
  expect(server.memoryBytes() - memoryBytes).toBeLessThan(48 * MIB);
  // Kernels that wait for sessions come and go.
  expect(server.openFiles()).toBeLessThanOrEqual(openFiles + 40);
}, 300_000);

function codeOf(count: number): string {
  return `print("${count} " * 400)`;
}
