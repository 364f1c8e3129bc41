// The server inside your own Node program, on a port of its own.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SERVER_DEFAULTS, startServer } from "taskweaver-executor";
import { ExecutionClient } from "taskweaver-executor/client";

const workDir = await mkdtemp(join(tmpdir(), "embedded-"));
const server = await startServer(
  { ...SERVER_DEFAULTS, port: 0, workDir, logLevel: "warn", python: process.env.TASKWEAVER_PYTHON ?? null },
  { onProgress: (line) => console.error(line) },
);
try {
  const session = await new ExecutionClient({ url: server.url }).start("embedded");
  const result = await session.executeCode("sum(range(10))");
  console.log(`${server.url} says`, result.output);
  assert.equal(result.output, 45);
} finally {
  await server.close();
  await rm(workDir, { recursive: true, force: true });
}
