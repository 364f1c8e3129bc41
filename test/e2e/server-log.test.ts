/** What the log of a server at work tells: each line of a session and of an execution says of which. */
import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, it, vi } from "vitest";
import { startTestServer } from "./test-server.ts";

it("each line about a session has its id, each about an execution both ids, from the start to the end", async () => {
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>);
      done();
    },
  });
  await using server = await startTestServer({}, { logger: pino({ level: "debug" }, sink) });
  const session = await server.client.start("one");
  const execution = session.executeCode("1 + 1");
  await execution;
  await session.executeCode("import os; os._exit(3)");
  await session.executeCode("2 + 2");
  await session.stop();
  const tells = (message: string): Record<string, unknown>[] => lines.filter(({ msg }) => msg === message);
  await vi.waitFor(() => expect(tells("execution done")).toHaveLength(3));
  expect(tells("kernel started")).toMatchObject([{ sessionId: "one" }, { sessionId: "one" }]);
  expect(tells("kernel died")).toMatchObject([{ sessionId: "one", exitCode: 3 }]);
  expect(tells("execution done")).toMatchObject([
    { sessionId: "one", executionId: execution.executionId, reason: "completed" },
    { sessionId: "one", executionId: expect.any(String), reason: "kernel_died" },
    { sessionId: "one", executionId: expect.any(String), reason: "completed" },
  ]);
  const about = /session|kernel (started|died)|execution/;
  const nameless = lines.filter(({ msg, sessionId }) => about.test(String(msg)) && sessionId === undefined);
  expect(nameless).toEqual([]);
});
