/** Many sessions: limits, races around one id, files that stay or go, the end of all. */
import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AppError } from "../../../src/errors.ts";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import { hold, openStore, rejection, resultOf, run, settle } from "../../helpers/fake-session.ts";

const create = (id: string, over = {}) => ({ session_id: id, ...over });

describe("making a session", () => {
  test("starts its kernel in its folder with what it was asked for", async () => {
    const { store, kernels, workDirectory } = await openStore();
    await store.create(create("a", { kernel: "bash", env: { X: "1" }, idle_timeout: 5 }));
    expect(kernels.last.request).toMatchObject({
      kernelName: "bash",
      sessionId: "a",
      cwd: join(workDirectory, "sessions/a/cwd"),
      env: { X: "1" },
    });
    expect(store.get("a").info).toMatchObject({ session_id: "a", kernel: "bash", idle_timeout: 5, status: "running" });
    await store.create(create("b"));
    expect(kernels.last.request.kernelName).toBe("python3");
  });

  test("under an id that is taken is refused, also while the other is being made", async () => {
    const { store } = await openStore();
    const first = store.create(create("a"));
    await expect(store.create(create("a"))).rejects.toMatchObject({ code: "session_exists" });
    await first;
    await expect(store.create(create("a"))).rejects.toMatchObject({ code: "session_exists" });
  });

  test("under an id that differs from another's in case is refused where the two would have one folder", async () => {
    const { store, workDirectory } = await openStore();
    await mkdir(join(workDirectory, "sessions"), { recursive: true });
    // What a file system does that does not tell upper from lower case.
    await symlink("A", join(workDirectory, "sessions/a"));
    const [upper, lower] = await Promise.allSettled([store.create(create("A")), store.create(create("a"))]);
    expect([upper.status, lower]).toMatchObject([
      "fulfilled",
      { reason: { code: "session_exists", message: expect.stringContaining("tell a from it") } },
    ]);
    expect(store.list().map(({ id }) => id)).toEqual(["A"]);
    await store.remove("A");
    expect((await store.create(create("a"))).running).toBe(true);
    const { store: apart } = await openStore();
    for (const id of ["A", "a"]) await apart.create(create(id));
    expect(new Set(apart.list().map(({ workspace }) => workspace.cwd)).size).toBe(2);
  });

  test("in a folder that is named in another case is found again by the next server, under its own id", async () => {
    const { store, workDirectory } = await openStore({ reconnect: async () => ({}) });
    await mkdir(join(workDirectory, "sessions/A"), { recursive: true });
    await symlink("A", join(workDirectory, "sessions/a"));
    await store.create(create("a"));
    await store.release();
    const { store: next } = await openStore({ workDirectory, reconnect: async () => ({}) });
    expect(await next.recover()).toBe(1);
    expect(next.get("a").id).toBe("a");
  });

  test("that fails leaves nothing, and the id is free", async () => {
    const kernels = new FakeKernels();
    kernels.onLaunch = () => {
      throw new AppError("unknown_kernel");
    };
    const { store } = await openStore({ kernels });
    await expect(store.create(create("a"))).rejects.toMatchObject({ code: "unknown_kernel" });
    expect([store.count, store.runningCount]).toEqual([0, 0]);
    kernels.onLaunch = ({ process }) => {
      process.words = "ImportError: no numpy";
      process.die({ exitCode: 1 });
    };
    await expect(store.create(create("a"))).rejects.toMatchObject({
      code: "kernel_start_failed",
      message: expect.stringMatching(/exit code 1.*ImportError: no numpy/),
    });
    kernels.onLaunch = () => {};
    expect((await store.create(create("a"))).running).toBe(true);
  });

  test("whose kernel never answers fails after its time, and the process is ended", async () => {
    const kernels = new FakeKernels();
    kernels.onLaunch = ({ kernel }) => void kernel.silence();
    const { store } = await openStore({ kernels, startKernel: kernels.starter(20) });
    await expect(store.create(create("a"))).rejects.toMatchObject({ code: "kernel_start_failed" });
    expect(kernels.alive).toBe(0);
  });
});

describe("the limit of sessions", () => {
  test("counts those with a kernel and those that are about to have one", async () => {
    const { store } = await openStore({ maxSessions: 2 });
    const outcomes = await Promise.allSettled(["a", "b", "c"].map((id) => store.create(create(id))));
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    await expect(store.create(create("d"))).rejects.toMatchObject({ code: "session_limit", retryAfterSeconds: 10 });
    await store.remove("a");
    await store.create(create("d"));
  });

  test("does not count stopped ones, and holds when they come back", async () => {
    const { store, kernels } = await openStore({ maxSessions: 1 });
    const idle = await store.create(create("a", { idle_timeout: 0.005 }));
    await kernels.last.process.exited;
    const other = await store.create(create("b"));
    expect([store.count, store.runningCount]).toEqual([2, 1]);
    expect(() => run(idle, "x")).toThrow(expect.objectContaining({ code: "session_limit" }));
    await store.remove(other.id);
    expect((await resultOf(run(idle, "x"))).reason).toBe("completed");
  });
});

describe("removing a session", () => {
  test("ends it and forgets it; its files stay and a new one of that id finds them", async () => {
    const { store, kernels } = await openStore();
    const session = await store.create(create("a"));
    await writeFile(join(session.workspace.cwd, "f"), "");
    await store.remove("a");
    expect([kernels.alive, store.count]).toEqual([0, 0]);
    expect(() => store.get("a")).toThrow(expect.objectContaining({ code: "session_not_found" }));
    const again = await store.create(create("a"));
    expect(await readdir(again.workspace.cwd)).toEqual(["f"]);
  });

  test("twice finds nothing the second time", async () => {
    const { store } = await openStore();
    await store.create(create("a"));
    const first = store.remove("a");
    await expect(store.remove("a")).rejects.toMatchObject({ code: "session_not_found" });
    await first;
  });

  test("and making it anew at once gives a new session: the second waits for the end of the first", async () => {
    const { store, kernels } = await openStore({ removeFilesAfterMs: 0 });
    const first = await store.create(create("a"));
    await writeFile(join(first.workspace.cwd, "f"), "");
    const removing = store.remove("a");
    const second = await store.create(create("a"));
    await removing;
    expect(second).not.toBe(first);
    expect(await readdir(second.workspace.cwd)).toEqual([]);
    expect([kernels.alive, store.count]).toEqual([1, 1]);
  });

  test("while it starts ends the start: who made it is told", async () => {
    const kernels = new FakeKernels();
    kernels.onLaunch = ({ kernel }) => void kernel.silence();
    const { store } = await openStore({ kernels });
    const making = rejection(store.create(create("a")));
    await kernels.nth(1);
    await settle();
    await store.remove("a");
    expect(await making).toMatchObject({ code: "session_not_found", message: "Session a was deleted while it started." });
    expect([kernels.alive, store.count]).toEqual([0, 0]);
  });

  test("removes its files at once or after a time, where the settings say so, and never a cwd of the client's", async () => {
    const { store, workDirectory } = await openStore({ removeFilesAfterMs: 0 });
    const mine = join(workDirectory, "mine");
    await mkdir(mine);
    await store.create(create("a", { cwd: mine }));
    await store.remove("a");
    expect(await readdir(join(workDirectory, "sessions"))).toEqual([]);
    expect((await stat(mine)).isDirectory()).toBe(true);
  });

  test("with a removal to come is taken back by a new session of that id", async () => {
    const { store, workDirectory } = await openStore({ removeFilesAfterMs: 15 });
    for (const id of ["a", "b"]) await store.create(create(id));
    await Promise.all([store.remove("a"), store.remove("b")]);
    const again = await store.create(create("a"));
    await writeFile(join(again.workspace.cwd, "f"), "");
    for (;;) {
      const left = await readdir(join(workDirectory, "sessions"));
      if (!left.includes("b")) break;
      await settle();
    }
    await store.create(create("b"));
    expect(await readdir(again.workspace.cwd)).toEqual(["f"]);
  });

  test("ends a waiting execution with a result of its own", async () => {
    const { store, kernels } = await openStore();
    const session = await store.create(create("a"));
    const held = hold(kernels);
    const executions = [run(session, "x"), run(session, "y")];
    await held.next();
    await store.remove("a");
    expect(executions.map((one) => one.result?.reason)).toEqual(["interrupted", "cancelled"]);
  });
});

describe("an execution that is on disk only", () => {
  const written = async () => {
    const { store, workDirectory } = await openStore({ reconnect: async () => ({}) });
    const session = await store.create(create("a"));
    await session.execute({ executionId: "x", code: "1 + 1", timeoutMs: null, allowInput: false }).done;
    await store.release();
    const { store: next } = await openStore({ workDirectory, reconnect: async () => ({}) });
    await next.recover();
    return { next, execution: next.get("a").execution("x") };
  };

  test("is the next server's to tell, where this one is about to go", async () => {
    const { next, execution } = await written();
    expect(await execution.readCode()).toBe("1 + 1");
    await next.release();
    await expect(execution.readCode()).rejects.toMatchObject({ code: "shutting_down", retryAfterSeconds: 1 });
  });

  test("goes with its session", async () => {
    const { next, execution } = await written();
    await next.remove("a");
    await expect(execution.readCode()).rejects.toMatchObject({ code: "session_not_found" });
  });
});

describe("the end of the server", () => {
  test("takes no new work, waits for what runs up to a time, and ends everything", async () => {
    const { store, kernels } = await openStore();
    const session = await store.create(create("a"));
    await store.create(create("b"));
    const held = hold({ last: kernels.launches[0]! } as FakeKernels);
    const execution = run(session, "x");
    const request = await held.next();
    expect(store.busyCount).toBe(1);
    store.refuseNewWork();
    expect(store.draining).toBeDefined();
    const refused = { code: "shutting_down", retryAfterSeconds: 5 };
    await expect(store.create(create("c"))).rejects.toMatchObject(refused);
    expect(() => store.mustTakeWork()).toThrow(expect.objectContaining(refused));
    const drained = store.drained(60_000);
    request.succeed();
    await drained;
    expect((await resultOf(execution)).reason).toBe("completed");
    await store.close();
    expect(kernels.alive).toBe(0);
  });

  test("does not wait longer than its time", async () => {
    const { store, kernels } = await openStore();
    const session = await store.create(create("a"));
    hold(kernels);
    const execution = run(session, "x");
    await store.drained(5);
    expect(execution.state).toBe("running");
    await store.close();
    expect((await resultOf(execution)).error).toContain("The server shut down");
  });

  test("waits for sessions that are just being made or ended, and leaves none of them", async () => {
    const { store, kernels } = await openStore();
    await store.create(create("a"));
    const removing = store.remove("a");
    const making = rejection(store.create(create("b")));
    await store.close();
    await removing;
    expect(await making).toMatchObject({ code: "shutting_down" });
    expect(kernels.alive).toBe(0);
  });
});
