/** A fork server that cannot be started: kernels come all the same, and it is not tried for each of them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { ForkProvisioner } from "../../../src/provision/fork-provisioner.ts";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import { pythonEnvironment } from "./python-fakes.ts";

test("after failures in a row kernels are started as processes of their own, and the log says when it is tried again", async () => {
  const root = await mkdtemp(join(tmpdir(), "taskweaver-fork-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const lines: Record<string, unknown>[] = [];
  const fallback = new FakeKernels();
  const provisioner = new ForkProvisioner({
    python: pythonEnvironment({ interpreter: "/bin/false" }),
    runtimeDirectory: root,
    logFile: join(root, "fork-server.log"),
    preload: [],
    startTimeoutMs: 10_000,
    fallback,
    logger: pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  });
  onTestFinished(() => provisioner.close());
  const request = { kernelName: "python3", sessionId: "s", cwd: root, env: {}, logFile: join(root, "kernel.log") };
  for (let count = 0; count < 6; count += 1) await provisioner.launch(request);
  expect(fallback.launches).toHaveLength(6);
  const failures = lines.filter((line) => String(line["msg"]).startsWith("the fork server failed"));
  expect(failures).toHaveLength(3);
  expect(failures.at(-1)).toMatchObject({ failures: 3, nextTryMs: expect.any(Number), msg: expect.stringContaining("until the next try") });
  expect(failures.at(-1)?.["nextTryMs"]).toBeGreaterThan(5_000);
});
