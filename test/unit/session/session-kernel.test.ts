/** The session's kernel: restarted, ended when idle, started again when it is needed. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import { hold, openSession, rejection, run } from "../../helpers/fake-session.ts";

describe("a restart", () => {
  test("gives a fresh kernel, interrupts what runs, and what waits runs on the fresh one", async () => {
    const { session, kernels } = await openSession();
    await session.loadPlugin({ name: "p", code: "" });
    const held = hold(kernels);
    const [running, waiting] = [run(session, "a"), run(session, "b")];
    await held.next();
    await session.restart();
    expect(await running.done).toMatchObject({ reason: "interrupted", state_kept: false, error: expect.stringContaining("restarted") });
    expect(await waiting.done).toMatchObject({ reason: "completed" });
    expect(kernels.launches).toHaveLength(2);
    expect(kernels.last.kernel.requests.map((one) => one.type).filter((type) => type !== "kernel_info_request")).toEqual([
      "taskweaver_load_plugin_request",
      "execute_request",
    ]);
  });

  test("is known to who asked for it: the next result does not tell it again", async () => {
    const { session } = await openSession();
    await run(session, "a").done;
    await session.restart();
    expect((await run(session, "b").done).state_kept).toBe(true);
  });

  test("while a plugin loads is not the plugin's fault", async () => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.on("taskweaver_load_plugin_request", () => {});
    const loading = rejection(session.loadPlugin({ name: "p", code: "" }));
    await kernels.last.kernel.nextRequest("taskweaver_load_plugin_request");
    await session.restart();
    expect(await loading).toMatchObject({ code: "plugin_failed", message: expect.stringContaining("restarted meanwhile") });
    expect(session.info).toMatchObject({ loaded_plugins: [], status: "running" });
  });

  test("that fails leaves the session there, and the next one may do", async () => {
    const { session, kernels } = await openSession();
    kernels.onLaunch = () => {
      throw new AppError("kernel_start_failed", "no");
    };
    await expect(session.restart()).rejects.toMatchObject({ code: "kernel_start_failed" });
    expect(session.info.status).toBe("stopped");
    kernels.onLaunch = () => {};
    await session.restart();
    expect(session.info.status).toBe("running");
  });
});

describe("an idle session", () => {
  test("loses its kernel, keeps the rest, and says that the state is gone when it is used again", async () => {
    const { session, kernels } = await openSession({ idleTimeoutMs: 20 });
    await session.loadPlugin({ name: "p", code: "" });
    await run(session, "a").done;
    await kernels.last.process.exited;
    expect(kernels.last.process.signals).toEqual(["SIGTERM"]);
    expect(session.info).toMatchObject({ status: "stopped", loaded_plugins: ["p"], idle_timeout: 0.02 });
    const held = run(session, "b");
    expect(await held.done).toMatchObject({ reason: "completed", state_kept: false });
    expect((await kernels.nth(2)).kernel.requests.map((one) => one.type)).toContain("taskweaver_load_plugin_request");
    expect(session.executions().map((one) => one.id)).toEqual(["b", "a"]);
  });

  test("is not idle while something runs, however long", async () => {
    const { session, kernels } = await openSession({ idleTimeoutMs: 5 });
    const held = hold(kernels);
    const execution = run(session, "a");
    const request = await held.next();
    await new Promise((resolve) => setTimeout(resolve, 15));
    expect(kernels.last.process.alive).toBe(true);
    request.succeed();
    expect((await execution.done).reason).toBe("completed");
    await kernels.last.process.exited;
  });

  test("is used by every touch", async () => {
    const kernels = new FakeKernels();
    const { session } = await openSession({ idleTimeoutMs: 1000, kernels });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    onTestFinished(() => void vi.useRealTimers());
    session.touch();
    await session.restart();
    vi.advanceTimersByTime(900);
    await session.updateVariables({});
    vi.advanceTimersByTime(900);
    expect(session.info.status).toBe("running");
    vi.advanceTimersByTime(200);
    expect(session.info.status).toBe("stopped");
  });

  test("that is restarted is idle again after its time", async () => {
    const { session, kernels } = await openSession({ idleTimeoutMs: 10 });
    await kernels.last.process.exited;
    await session.restart();
    await kernels.last.process.exited;
    expect([kernels.launches.length, session.info.status]).toEqual([2, "stopped"]);
  });

  test("counts toward no limit, and is told 429 where there is no room when it is used again", async () => {
    let isFull = false;
    const admitKernel = (): void => {
      if (isFull) throw new AppError("session_limit");
    };
    const { session, kernels } = await openSession({ idleTimeoutMs: 10, admitKernel });
    await kernels.last.process.exited;
    expect(session.running).toBe(false);
    isFull = true;
    expect(() => run(session, "a")).toThrow(expect.objectContaining({ code: "session_limit" }));
    expect(session.executions()).toEqual([]);
    isFull = false;
    expect((await run(session, "a").done).reason).toBe("completed");
  });
});
