/** A session over real kernels, each a process of its own, without a server in front. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { ZeromqTransport } from "../../../src/kernel/zeromq-transport.ts";
import { preparePython } from "../../../src/provision/python-environment.ts";
import { openRuntimeDirectory } from "../../../src/provision/runtime-directory.ts";
import { SubprocessProvisioner } from "../../../src/provision/subprocess-provisioner.ts";
import { createKernelStarter } from "../../../src/session/live-kernel.ts";
import { newSession, openSession, resultOf, run } from "../../helpers/fake-session.ts";
import { testPython } from "../../helpers/python.ts";
import { sharedByAll, whenDone } from "../../helpers/when-done.ts";

const GRACE_MS = 20_000;

const startKernel = sharedByAll(async () => {
  const root = await mkdtemp(join(tmpdir(), "tw-session-"));
  whenDone(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const python = await preparePython({ python: testPython() });
  const runtimeDirectory = await openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: root } });
  return createKernelStarter({
    provisioner: new SubprocessProvisioner({ python, runtimeDirectory }),
    connect: (connection) => new ZeromqTransport(connection),
    startTimeoutMs: 60_000,
  });
});

describe("a session", () => {
  test("runs code on its kernel, keeps its state and its order, and ends its process", async () => {
    const { session } = await openSession({ startKernel: startKernel() });
    const codes = ["import os; seen = [0]", "seen.append(1)", "seen.append(2)", "[seen, os.getpid()]"];
    const results = await Promise.all(codes.map((code, index) => resultOf(run(session, `x${index}`, { code }))));
    expect(results.map((result) => result.reason)).toEqual(Array(4).fill("completed"));
    const [seen, pid] = JSON.parse(results[3]!.outputJson) as [number[], number];
    expect(seen).toEqual([0, 1, 2]);
    await session.close("The test is over.");
    expect(await isGone(pid)).toBe(true);
  });

  test("interrupts code that runs, and keeps its state", async () => {
    const { session } = await openSession({ startKernel: startKernel(), interruptGraceMs: GRACE_MS });
    await run(session, "before", { code: "kept = 1" }).done;
    const endless = run(session, "endless", { code: "print('begun', flush=True)\nimport time\nwhile True: time.sleep(0.01)" });
    for await (const { event } of endless.log.read()) if (event.event === "output") break;
    session.interrupt("endless");
    expect(await resultOf(endless)).toMatchObject({ reason: "interrupted", state_kept: true });
    expect((await resultOf(run(session, "after", { code: "kept" }))).outputJson).toBe("1");
  });

  test("goes on with a fresh kernel when the first one dies", async () => {
    const { session } = await openSession({ startKernel: startKernel() });
    const died = await resultOf(run(session, "dies", { code: "import os; os._exit(9)" }));
    expect(died).toMatchObject({ reason: "kernel_died", state_kept: false, error: expect.stringContaining("exit code 9") });
    await vi.waitFor(() => expect(session.running).toBe(true));
    expect((await resultOf(run(session, "after", { code: "1 + 1" }))).outputJson).toBe("2");
  });

  test("that is closed while its kernel starts leaves no process", async () => {
    const { session } = await newSession({ startKernel: startKernel() });
    const opening = session.open().catch((error: unknown) => error);
    await session.close("The test is over.");
    expect(await opening).toMatchObject({ code: "kernel_start_failed" });
    expect(session.running).toBe(false);
  });
});

/** Whether a process has ended; nobody may have reaped it yet. */
async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return status === "" || /\) [ZX]/.test(status);
}
