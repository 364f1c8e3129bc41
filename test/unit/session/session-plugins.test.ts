/** Plugins of a session: loaded in turn, and again on every fresh kernel before anything else runs there. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import { openSession, rejection, resultOf, run, settle } from "../../helpers/fake-session.ts";

describe("plugins", () => {
  test("load again on a fresh kernel in their order, before anything else runs on it", async () => {
    const { session, kernels } = await openSession();
    for (const name of ["p", "q", "p"]) await session.loadPlugin({ name, code: name });
    expect(session.info.loaded_plugins).toEqual(["q", "p"]);
    await run(session, "a").done;
    kernels.onLaunch = ({ kernel }) =>
      void kernel.on("taskweaver_load_plugin_request", async (request) => {
        await settle();
        request.answer({ status: "ok" });
      });
    kernels.last.process.die();
    await kernels.nth(2);
    await run(session, "b").done;
    const types = kernels.last.kernel.requests.filter((one) => one.type !== "kernel_info_request");
    expect(types.map((one) => one.content["name"] ?? one.code)).toEqual(["q", "p", "b"]);
  });

  test("that fail to load again are told in the next result, and are tried again with the next kernel", async () => {
    const { session, kernels } = await openSession();
    await session.loadPlugin({ name: "p", code: "" });
    kernels.onLaunch = ({ kernel }) =>
      void kernel.on("taskweaver_load_plugin_request", (request) => void request.answer({ status: "error", evalue: "no network" }));
    await session.restart();
    const { log } = await resultOf(run(session, "a"));
    expect(log).toEqual([["error", "Plugin-p", "could not be loaded again: Plugin p failed to load: no network"]]);
    expect((await resultOf(run(session, "b"))).log).toEqual([]);
    expect(session.info.loaded_plugins).toEqual(["p"]);
  });

  test("that end the kernel while they load again are left out", async () => {
    const { session, kernels } = await openSession();
    for (const name of ["good", "deadly"]) await session.loadPlugin({ name, code: "" });
    kernels.onLaunch = ({ kernel, process }) =>
      void kernel.on("taskweaver_load_plugin_request", (request) => {
        if (request.content["name"] === "deadly") process.die({ exitCode: 9 });
        else request.answer({ status: "ok" });
      });
    await session.restart();
    expect(session.info.loaded_plugins).toEqual(["good"]);
    expect((await resultOf(run(session, "a"))).log[0]?.[1]).toBe("Plugin-deadly");
    expect(kernels.launches).toHaveLength(3);
  });

  test.each([
    [
      "refuse",
      { status: "error", ename: "SyntaxError", evalue: "invalid syntax (line 1)" },
      "Plugin p failed to load: invalid syntax (line 1)",
    ],
    ["refuse without a word", { status: "error", ename: "SyntaxError" }, "Plugin p failed to load: SyntaxError"],
    ["refuse without anything", { status: "error" }, "Plugin p failed to load: unknown reason"],
  ])("that %s leave the session as it was", async (_, answer, message) => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.on("taskweaver_load_plugin_request", (request) => void request.answer(answer));
    await expect(session.loadPlugin({ name: "p", code: "" })).rejects.toMatchObject({ code: "plugin_failed", message });
    expect(session.info).toMatchObject({ status: "running", loaded_plugins: [] });
    expect(await resultOf(run(session, "x"))).toMatchObject({ reason: "completed", state_kept: true });
  });

  test("that end the kernel while they load are refused, and the session goes on with a fresh one", async () => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.on("taskweaver_load_plugin_request", () => kernels.last.process.die());
    await expect(session.loadPlugin({ name: "p", code: "" })).rejects.toMatchObject({
      code: "plugin_failed",
      message: expect.stringContaining("ended the kernel"),
    });
    expect(await resultOf(run(session, "x"))).toMatchObject({ reason: "completed", state_kept: false });
  });

  test("that take over 60 s are refused, and the session goes on with a fresh kernel", async () => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.on("taskweaver_load_plugin_request", () => {});
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const refused = rejection(session.loadPlugin({ name: "p", code: "" }));
    await kernels.last.kernel.nextRequest("taskweaver_load_plugin_request");
    vi.advanceTimersByTime(60_000);
    expect(await refused).toMatchObject({ code: "plugin_failed", message: expect.stringContaining("over 60 s") });
    vi.useRealTimers();
    expect((await resultOf(run(session, "x"))).reason).toBe("completed");
    expect(kernels.launches).toHaveLength(2);
  });

  test("are not for other kernels", async () => {
    const kernels = new FakeKernels();
    kernels.kernelOptions = { kernelInfo: { taskweaver_protocol: undefined } };
    const { session } = await openSession({ kernels });
    await expect(session.loadPlugin({ name: "p", code: "" })).rejects.toMatchObject({ code: "unsupported_by_kernel" });
  });

  test("can be tested and unloaded where they are loaded, even if their load is still on its way", async () => {
    const { session, kernels } = await openSession();
    for (const act of [session.unloadPlugin("p"), session.testPlugin("p")])
      await expect(act).rejects.toMatchObject({ code: "plugin_not_found" });
    const tests = [{ name: "t", description: null, is_success: false, error: "no" }];
    kernels.last.kernel.on("taskweaver_test_plugin_request", (request) => void request.answer({ status: "ok", tests }));
    const loading = session.loadPlugin({ name: "p", code: "" });
    expect(await session.testPlugin("p")).toEqual({ name: "p", is_success: false, tests });
    await loading;
    await session.unloadPlugin("p");
    expect(session.info.loaded_plugins).toEqual([]);
    await expect(session.unloadPlugin("p")).rejects.toMatchObject({ code: "plugin_not_found" });
  });
});
