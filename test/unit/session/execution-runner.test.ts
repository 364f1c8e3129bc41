/** One execution on one kernel: what an intervention does, and when it no longer does anything. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Execution } from "../../../src/session/execution.ts";
import { ExecutionRunner } from "../../../src/session/execution-runner.ts";
import { Ranges, type Range } from "../../../src/session/journal/ranges.ts";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import { temporaryFolder } from "../../helpers/fake-session.ts";

const NOTHING_ELSE = { lastEventId: 0, ranges: new Ranges(), places: new Map<number, Range>() };
const SESSION = { session_id: "s1", env_id: "server", session_variables: {} };

describe("an intervention", () => {
  test("after the code has ended touches the kernel no more", async () => {
    const { runner, process } = await newRunner({ graceMs: 0 });
    await runner.run(SESSION);
    runner.intervene("interrupted", "why");
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(process.signals).toEqual([]);
  });

  test("happens once: the first reason stands", async () => {
    const { runner, kernel, process } = await newRunner();
    kernel.onExecute((request) => void request.begin());
    const ended = runner.run(SESSION);
    const request = await kernel.nextRequest("execute_request");
    runner.intervene("timed_out", "first");
    runner.intervene("interrupted", "second");
    await vi.waitFor(() => expect(process.signals).toEqual(["SIGINT"]));
    request.failWith("KeyboardInterrupt", "");
    expect(await ended).toMatchObject({ reason: "timed_out", error: expect.stringContaining("first") });
  });

  test("reaches a kernel that never says that it begins, too", async () => {
    const { runner, kernel, process } = await newRunner();
    kernel.onExecute((request) => void request.busy());
    const ended = runner.run(SESSION);
    const request = await kernel.nextRequest("execute_request");
    process.onSignal = () => void request.reply({ status: "error", ename: "KeyboardInterrupt", evalue: "", traceback: [] }).idle();
    runner.intervene("interrupted", "why");
    expect((await ended).reason).toBe("interrupted");
  });

  test("by death names the reason even where SIGINT came first", async () => {
    const { runner, kernel, process } = await newRunner();
    kernel.onExecute((request) => void request.begin());
    const ended = runner.run(SESSION);
    await kernel.nextRequest("execute_request");
    runner.intervene("timed_out", "The execution timed out after 1 s");
    runner.kill("interrupted", "The session was restarted");
    expect(await ended).toMatchObject({ reason: "timed_out", stateKept: false });
    expect(process.alive).toBe(false);
  });
});

describe("an intervention that an earlier server began", () => {
  const resumed = async (beganAt: Date) => {
    const { runner, process } = await newRunner({ graceMs: 60_000 });
    const began = { reason: "interrupted" as const, why: "why", isTold: false, at: beganAt.toISOString() };
    await runner.execution.restore({
      sent: { kind: "sent", messageId: "m", startedAt: beganAt.toISOString(), kernel: process.pid },
      intervened: { kind: "intervened", ...began },
      ...NOTHING_ELSE,
    });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    return { ended: runner.resume("m"), process };
  };

  test("interrupts again, and does not give the code its grace again: what is already said has a second to arrive", async () => {
    const { ended, process } = await resumed(new Date(Date.now() - 50_000_000));
    expect(process.signals).toEqual(["SIGINT"]);
    vi.advanceTimersByTime(1_000);
    expect(process.signals).toEqual(["SIGINT", "SIGKILL"]);
    vi.useRealTimers();
    expect(await ended).toMatchObject({ reason: "interrupted", stateKept: false });
  });

  test("leaves the code what is left of its grace", async () => {
    const { ended, process } = await resumed(new Date(Date.now() - 10_000));
    vi.advanceTimersByTime(40_000);
    expect(process.signals).toEqual(["SIGINT"]);
    vi.advanceTimersByTime(10_000);
    expect(process.signals).toEqual(["SIGINT", "SIGKILL"]);
    vi.useRealTimers();
    await ended;
  });

  test.each(["", "no time"])("whose time is damaged (%j) leaves the code all of its grace", async (at) => {
    const { runner, process } = await newRunner();
    const began = { kind: "intervened" as const, reason: "interrupted" as const, why: "why", isTold: false, at };
    await runner.execution.restore({ intervened: began, ...NOTHING_ELSE });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const ended = runner.resume("m");
    vi.advanceTimersByTime(59_999);
    expect(process.signals).toEqual(["SIGINT"]);
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    await ended;
  });
});

describe("a kernel whose connection fails", () => {
  test("is ended: it is of no more use", async () => {
    const { runner, kernel, client, process } = await newRunner();
    kernel.onExecute((request) => void request.begin());
    const ended = runner.run(SESSION);
    await kernel.nextRequest("execute_request");
    client.close();
    expect(await ended).toMatchObject({ reason: "kernel_died", stateKept: false, error: expect.stringContaining("connection") });
    expect(process.alive).toBe(false);
  });
});

describe("an answer to input()", () => {
  test("goes where one is asked for, once", async () => {
    const { runner, kernel } = await newRunner({ allowInput: true });
    const answers: string[] = [];
    kernel.onExecute(async (request) => {
      request.begin();
      answers.push(await request.input("name? "));
      request.succeed();
    });
    expect(await runner.answerInput("too early")).toBe(false);
    const ended = runner.run(SESSION);
    for await (const { event } of runner.execution.log.read()) {
      expect(event).toEqual({ event: "input_request", data: { prompt: "name? ", password: false } });
      break;
    }
    expect(await runner.answerInput("Ada")).toBe(true);
    expect(await runner.answerInput("twice")).toBe(false);
    await ended;
    expect(answers).toEqual(["Ada"]);
  });

  test("of code that was taken up waits until the kernel has told what it asks", async () => {
    const { runner, kernel } = await newRunner({ allowInput: true });
    kernel.on("taskweaver_replay_request", () => {});
    const ended = runner.resume("m");
    const replay = await kernel.nextRequest("taskweaver_replay_request");
    const answered = runner.answerInput("Ada");
    const parent = { msg_id: "m" };
    replay.reply({ asks: true });
    kernel.send("iopub", "taskweaver_replay", { replay_id: replay.content["replay_id"] }, { parent });
    kernel.send("iopub", "input_request", { prompt: "name? ", password: false, number: 1 }, { parent });
    expect(await answered).toBe(true);
    expect((await kernel.nextRequest("input_reply")).content).toEqual({ value: "Ada" });
    kernel.send("iopub", "status", { execution_state: "idle" }, { parent });
    kernel.send("shell", "execute_reply", { status: "ok" }, { parent });
    await ended;
  });

  test("of code that was taken up and ends before it asks reaches nobody", async () => {
    const { runner, kernel, process } = await newRunner({ allowInput: true });
    kernel.on("taskweaver_replay_request", (request) => void request.reply({ asks: true }));
    const ended = runner.resume("m");
    const answered = runner.answerInput("Ada");
    await kernel.nextRequest("taskweaver_replay_request");
    await process.terminate();
    expect((await ended).reason).toBe("kernel_died");
    expect(await answered).toBe(false);
  });
});

describe("output after the end", () => {
  test("belongs to the execution until it is released", async () => {
    const { runner, kernel } = await newRunner();
    kernel.onExecute((request) => void request.succeed());
    const end = await runner.run(SESSION);
    await runner.execution.finish(end);
    const request = await kernel.nextRequest("execute_request");
    request.stream("stdout", "late");
    await vi.waitFor(() => expect(runner.execution.result?.stdout).toEqual(["late"]));
    runner.release();
    request.stream("stdout", "too late");
    await new Promise((resolve) => setImmediate(resolve));
    expect(runner.execution.result?.stdout).toEqual(["late"]);
  });
});

async function newRunner({ graceMs = 60_000, allowInput = false } = {}) {
  const kernels = new FakeKernels();
  const cwd = await temporaryFolder();
  const live = await kernels.starter()({ kernelName: "python3", sessionId: "s1", cwd, env: {}, logFile: "" });
  const execution = new Execution({
    request: { executionId: "x", code: "", timeoutMs: null, allowInput },
    index: 1,
    cwd,
    limits: { maxOutputBytes: 1000, maxSpilledBytes: 1000 },
    onFault: () => {},
  });
  const { kernel, process } = kernels.last;
  return { runner: new ExecutionRunner(execution, live, graceMs), kernel, process, client: live.client };
}
