/** What a session runs, in which order, and what it says of it meanwhile. */
import { describe, expect, test } from "vitest";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import { hold, newSession, openSession, resultOf, run, settle } from "../../helpers/fake-session.ts";

describe("an execution", () => {
  test("is told to the kernel with the session it belongs to, and ends with what the kernel says", async () => {
    const { session, kernels } = await openSession();
    await session.updateVariables({ a: "1" });
    kernels.last.kernel.onExecute((request) => void request.succeed({ stdout: "hi\n", output: "3.0", variables: [["x", "3.0"]] }));
    const result = await resultOf(run(session, "x", { code: "x = 3.0" }));
    expect(result).toMatchObject({
      execution_id: "x",
      is_success: true,
      error: null,
      outputJson: "3.0",
      stdout: ["hi\n"],
      variables: [["x", "3.0"]],
      reason: "completed",
      state_kept: true,
    });
    const request = await kernels.last.kernel.nextRequest("execute_request");
    expect(request.content).toMatchObject({ code: "x = 3.0", allow_stdin: false, stop_on_error: false, store_history: true });
    expect(request.taskweaver).toEqual({
      session_id: "s1",
      env_id: "server",
      execution_id: "x",
      execution_index: 1,
      session_variables: { a: "1" },
    });
  });

  test("that raises is data: its traceback is the error and the state is kept", async () => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.onExecute(
      (request) => void request.failWith("ValueError", "bad", ["\u001b[31mTraceback\u001b[0m", "ValueError: bad"]),
    );
    expect(await resultOf(run(session, "x"))).toMatchObject({
      is_success: false,
      reason: "error",
      error: "Traceback\nValueError: bad",
      state_kept: true,
    });
  });

  test("on a kernel that is not ours has the text of its last value, and is asked for nothing of ours", async () => {
    const kernels = new FakeKernels();
    kernels.kernelOptions = { kernelInfo: { taskweaver_protocol: undefined } };
    const { session } = await openSession({ kernels });
    kernels.last.kernel.onExecute((request) => void request.begin().result("[1] 3").reply({}, null).idle());
    expect(await resultOf(run(session, "x"))).toMatchObject({ outputJson: '"[1] 3"', variables: [], reason: "completed" });
    expect((await kernels.last.kernel.nextRequest("execute_request")).taskweaver).toEqual({});
  });

  test("of whose output messages are lost says how many, on a kernel that may lose some", async () => {
    const kernels = new FakeKernels();
    kernels.kernelOptions = { kernelInfo: { taskweaver_protocol: undefined } };
    const { session } = await openSession({ kernels });
    const { kernel } = kernels.last;
    kernel.onExecute((request) => {
      request.begin().stream("stdout", "a");
      kernel.lose(Number(request.code));
      request.stream("stdout", "b").reply({}, null).idle();
    });
    const lossy = await resultOf(run(session, "3"));
    expect([lossy.reason, lossy.stdout, lossy.stderr.join("")]).toEqual([
      "completed",
      ["a", "b"],
      expect.stringContaining("3 of the kernel's messages"),
    ]);
    expect((await resultOf(run(session, "0"))).stderr).toEqual([]);
  });

  test("that the kernel drops counts as never started", async () => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.onExecute((request) => void request.busy().reply({ status: "aborted" }, null).idle());
    expect(await resultOf(run(session, "x"))).toMatchObject({ is_success: false, reason: "cancelled" });
  });

  test("whose kernel forgets its idle or says odd things still ends", async () => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.onExecute((request) => void request.begin().reply({ status: "error" }, { output: 3, variables: "no" }).idle());
    expect(await resultOf(run(session, "x"))).toMatchObject({ reason: "error", error: "Error: ", outputJson: '""', variables: [] });
  });
});

describe("the queue", () => {
  test("runs 12 executions sent at once in their order, one at a time", async () => {
    const { session, kernels } = await openSession();
    const seen: string[] = [];
    let running = 0;
    kernels.last.kernel.onExecute(async (request) => {
      running += 1;
      expect(running).toBe(1);
      seen.push(request.code);
      await settle();
      running -= 1;
      request.succeed();
    });
    const ids = Array.from({ length: 12 }, (_, index) => `x${index}`);
    await Promise.all(ids.map((id) => run(session, id).done));
    expect(seen).toEqual(ids);
    expect(kernels.last.kernel.failure).toBeUndefined();
  });

  test("says who is where: running, then 1, 2, 3", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const executions = ["a", "b", "c", "d"].map((id) => run(session, id));
    const first = await held.next();
    expect(executions.map((one) => [one.state, session.positionOf(one)])).toEqual([
      ["running", undefined],
      ["queued", 1],
      ["queued", 2],
      ["queued", 3],
    ]);
    first.succeed();
    (await held.next()).succeed();
    await held.next();
    expect(executions.map((one) => session.positionOf(one))).toEqual([undefined, undefined, undefined, 1]);
  });

  test("counts one whose kernel still starts as the first", async () => {
    const { session } = await newSession();
    const executions = ["a", "b"].map((id) => run(session, id));
    expect(executions.map((one) => [one.state, session.positionOf(one)])).toEqual([
      ["queued", 1],
      ["queued", 2],
    ]);
    await Promise.all(executions.map((one) => one.done));
  });

  test("has a limit, for plugins too, and says when to try again", async () => {
    const { session, kernels } = await openSession({ limits: { maxQueue: 2 } });
    const held = hold(kernels);
    run(session, "a");
    await held.next();
    for (const id of ["b", "c"]) run(session, id);
    expect(() => run(session, "d")).toThrow(expect.objectContaining({ code: "queue_limit", retryAfterSeconds: 1 }));
    await expect(session.loadPlugin({ name: "p", code: "" })).rejects.toMatchObject({ code: "queue_limit" });
    expect(session.executions().map((one) => one.id)).toEqual(["c", "b", "a"]);
  });

  test("takes plugin loads and executions in one order", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    run(session, "a");
    const loading = session.loadPlugin({ name: "p", code: "" });
    const after = run(session, "b");
    expect(session.info.loaded_plugins).toEqual([]);
    (await held.next()).succeed();
    const second = await held.next();
    expect(session.info.loaded_plugins).toEqual(["p"]);
    second.succeed();
    await Promise.all([loading, after.done]);
    expect(kernels.last.kernel.requests.map((request) => request.type).filter((type) => type !== "kernel_info_request")).toEqual([
      "execute_request",
      "taskweaver_load_plugin_request",
      "execute_request",
    ]);
  });
});

describe("ids of executions", () => {
  test("that run or wait are taken, those that are done may be used again", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const first = run(session, "x");
    expect(() => run(session, "x")).toThrow(expect.objectContaining({ code: "execution_exists" }));
    (await held.next()).succeed({ stdout: "one" });
    await first.done;
    const second = run(session, "x");
    (await held.next()).succeed({ stdout: "two" });
    await second.done;
    expect(session.execution("x")).toBe(second);
    expect(session.executions()).toEqual([second]);
    expect(session.info.execution_count).toBe(2);
    expect(() => session.execution("y")).toThrow(expect.objectContaining({ code: "execution_not_found" }));
  });

  test("list newest first, one that was used again as new", async () => {
    const { session } = await openSession();
    for (const id of ["a", "b", "a"]) await run(session, id).done;
    expect(session.executions().map((one) => one.id)).toEqual(["a", "b"]);
  });
});

test("session variables merge and hold from the next execution on", async () => {
  const { session, kernels } = await openSession();
  const held = hold(kernels);
  await session.updateVariables({ a: "1", b: "1" });
  run(session, "x");
  const first = await held.next();
  await session.updateVariables({ b: "2", __proto__x: "3" });
  await session.updateVariables({});
  first.succeed();
  run(session, "y");
  const second = await held.next();
  second.succeed();
  expect(first.taskweaver["session_variables"]).toEqual({ a: "1", b: "1" });
  expect(second.taskweaver["session_variables"]).toEqual({ a: "1", b: "2", __proto__x: "3" });
});
