/** The session's kernel: restarted, ended when idle, started again when it is needed. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { FakeKernels, type FakeLaunch } from "../../helpers/fake-kernels.ts";
import { SessionJournal } from "../../../src/session/journal/session-journal.ts";
import { readSessionRecord } from "../../../src/session/journal/session-record.ts";
import { hold, openSession, rejection, resultOf, run, settle, temporaryFolder } from "../../helpers/fake-session.ts";

describe("a restart", () => {
  test("gives a fresh kernel, interrupts what runs, and what waits runs on the fresh one", async () => {
    const { session, kernels } = await openSession();
    await session.loadPlugin({ name: "p", code: "" });
    const held = hold(kernels);
    const [running, waiting] = [run(session, "a"), run(session, "b")];
    await held.next();
    await session.restart();
    expect(await resultOf(running)).toMatchObject({
      reason: "interrupted",
      state_kept: false,
      error: expect.stringContaining("restarted"),
    });
    expect(await resultOf(waiting)).toMatchObject({ reason: "completed" });
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
    expect((await resultOf(run(session, "b"))).state_kept).toBe(true);
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

test("a loss that an execution was about to tell when the server left stays written down for the next one", async () => {
  const folder = await temporaryFolder();
  const { session, kernels } = await openSession({ journal: new SessionJournal(folder, { isTemporary: false, onFault: () => {} }) });
  await run(session, "served").done;
  kernels.last.process.die();
  await kernels.nth(2);
  const held = hold(kernels);
  run(session, "tells");
  await held.next();
  await session.release();
  const record = await readSessionRecord(folder);
  expect(record?.lossAt).toEqual(expect.any(String));
});

describe("a kernel that dies again and again before it has run anything", () => {
  const NEVER_LIVES = (launch: FakeLaunch): void => {
    launch.kernel.on("execute_request", () => launch.process.die({ exitCode: 3 }));
  };

  test("is not started for each execution of a queue: the third in a row says when it is tried again, and nothing is started until then", async () => {
    const { session, kernels } = await openSession();
    kernels.onLaunch = NEVER_LIVES;
    await session.restart();
    const results = await Promise.all(["a", "b", "c", "d", "e"].map((id) => resultOf(run(session, id))));
    const launched = kernels.launches.length;
    expect(results.map((result) => result.reason)).toEqual(Array(5).fill("kernel_died"));
    expect(results[4]?.error).toMatch(
      /^The kernel died \(exit code 3\) before it had run anything\. That was failure \d in a row: it is not started again for \d+ s, unless the session is restarted\.$/,
    );
    expect(launched).toBeLessThanOrEqual(5);
    await run(session, "f").done;
    expect(kernels.launches).toHaveLength(launched);
  });

  test("is tried again when the time is over, and one that lives ends the story", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const { session, kernels } = await openSession();
    kernels.onLaunch = NEVER_LIVES;
    await session.restart();
    for (const id of ["a", "b", "c", "d"]) await run(session, id).done;
    kernels.onLaunch = () => {};
    expect((await resultOf(run(session, "too soon"))).reason).toBe("kernel_died");
    vi.setSystemTime(Date.now() + 61_000);
    expect((await resultOf(run(session, "later"))).reason).toBe("completed");
    kernels.last.process.die();
    await settle();
    expect((await resultOf(run(session, "again"))).reason).toBe("completed");
  });

  test("is tried at once where somebody restarts the session", async () => {
    const { session, kernels } = await openSession();
    kernels.onLaunch = () => {
      throw new AppError("kernel_start_failed", "The kernel could not be started: no.");
    };
    for (const id of ["a", "b", "c"]) {
      kernels.last.process.die();
      await run(session, id).done;
    }
    expect(await rejection(session.loadPlugin({ name: "p", code: "" }))).toMatchObject({
      code: "kernel_start_failed",
      message: expect.stringContaining("The kernel could not be started: no. That was failure"),
      retryAfterSeconds: expect.any(Number),
    });
    kernels.onLaunch = () => {};
    await session.restart();
    expect((await resultOf(run(session, "d"))).reason).toBe("completed");
  });

  test("is not what a user's code is that ends its kernel each time", async () => {
    const { session, kernels } = await openSession();
    for (let count = 0; count < 6; count += 1) {
      const held = hold(kernels);
      const running = run(session, `exit${count}`);
      const execution = await held.next();
      execution.stream("stdout", "begun");
      await vi.waitFor(() => expect(running.recorder.stdout.chunks).toEqual(["begun"]));
      kernels.last.process.die();
      expect((await resultOf(running)).error).toContain("while the code ran");
    }
  });
});

describe("an idle session", () => {
  test("loses its kernel, keeps the rest, and says that the state is gone when it is used again", async () => {
    const { session, kernels } = await openSession({ idleTimeoutMs: 1000 });
    stopTheClock();
    await session.loadPlugin({ name: "p", code: "" });
    await run(session, "a").done;
    await session.idle();
    vi.advanceTimersByTime(1000);
    await kernels.last.process.exited;
    expect(kernels.last.process.signals).toEqual(["SIGTERM"]);
    expect(session.info).toMatchObject({ status: "stopped", loaded_plugins: ["p"], idle_timeout: 1 });
    const held = run(session, "b");
    expect(await resultOf(held)).toMatchObject({ reason: "completed", state_kept: false });
    expect((await kernels.nth(2)).kernel.requests.map((one) => one.type)).toContain("taskweaver_load_plugin_request");
    expect(session.executions().map((one) => one.id)).toEqual(["b", "a"]);
  });

  test("is not idle while something runs, however long", async () => {
    const { session, kernels } = await openSession({ idleTimeoutMs: 1000 });
    stopTheClock();
    const held = hold(kernels);
    const execution = run(session, "a");
    const request = await held.next();
    vi.advanceTimersByTime(5000);
    expect(kernels.last.process.alive).toBe(true);
    request.succeed();
    expect((await resultOf(execution)).reason).toBe("completed");
    await session.idle();
    vi.advanceTimersByTime(1000);
    await kernels.last.process.exited;
  });

  /** On a busy machine a short time would be over before anything has happened. */
  function stopTheClock(): void {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    onTestFinished(() => void vi.useRealTimers());
  }

  test("is used by every touch", async () => {
    const kernels = new FakeKernels();
    const { session } = await openSession({ idleTimeoutMs: 1000, kernels });
    stopTheClock();
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
    expect((await resultOf(run(session, "a"))).reason).toBe("completed");
  });
});
