/** How executions end before their time: by an interrupt, by their timeout, with their kernel, with their session. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Execution } from "../../../src/session/execution.ts";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import type { FakeRequest } from "../../helpers/fake-request.ts";
import { hold, newSession, openSession, resultOf, run, settle } from "../../helpers/fake-session.ts";

describe("an interrupt", () => {
  test("of a queued execution ends it at once, never started, and the others move up", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const [first, second, third] = ["a", "b", "c"].map((id) => run(session, id)) as [never, ReturnType<typeof run>, ReturnType<typeof run>];
    const running = await held.next();
    expect(session.interrupt("b")).toBe(second);
    expect([second.state, second.result?.reason, second.result?.started_at]).toEqual(["done", "cancelled", null]);
    expect(session.positionOf(third)).toBe(1);
    expect(() => session.interrupt("b")).toThrow(expect.objectContaining({ code: "execution_done" }));
    running.succeed();
    expect((await held.next()).code).toBe("c");
    expect(first).toMatchObject({ state: "done" });
  });

  test("of one whose kernel still starts ends it at once, and the kernel never sees it", async () => {
    const { session, kernels } = await newSession();
    const execution = run(session, "x");
    session.interrupt("x");
    expect(execution.result).toMatchObject({ reason: "cancelled", state_kept: true });
    await run(session, "y").done;
    expect(kernels.last.kernel.requests.filter((one) => one.type === "execute_request").map((one) => one.code)).toEqual(["y"]);
  });

  test("of a running one is a SIGINT, and its KeyboardInterrupt is the error", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const execution = run(session, "x");
    const request = await held.next();
    await settle();
    kernels.last.process.onSignal = () => void request.failWith("KeyboardInterrupt", "");
    session.interrupt("x");
    expect(await resultOf(execution)).toMatchObject({
      reason: "interrupted",
      is_success: false,
      state_kept: true,
      error: "KeyboardInterrupt: ",
    });
    expect(kernels.last.process.signals).toEqual(["SIGINT"]);
  });

  test("waits for the code to begin: a SIGINT before that would be lost", async () => {
    const { session, kernels } = await openSession();
    kernels.last.kernel.onExecute((request) => void request.busy());
    const execution = run(session, "x");
    const request = await kernels.last.kernel.nextRequest("execute_request");
    kernels.last.process.onSignal = () => void request.failWith("KeyboardInterrupt", "");
    session.interrupt("x");
    await settle();
    expect(kernels.last.process.signals).toEqual([]);
    request.begin();
    expect((await resultOf(execution)).reason).toBe("interrupted");
    expect(kernels.last.process.signals).toEqual(["SIGINT"]);
  });

  test("goes as a message to kernels that want one", async () => {
    const kernels = new FakeKernels();
    kernels.onLaunch = ({ process }) => void (process.interruptMode = "message");
    const { session } = await openSession({ kernels });
    const held = hold(kernels);
    const execution = run(session, "x");
    const request = await held.next();
    kernels.last.kernel.on("interrupt_request", (interrupt) => {
      interrupt.reply();
      request.failWith("KeyboardInterrupt", "");
    });
    await settle();
    session.interrupt("x");
    expect((await resultOf(execution)).reason).toBe("interrupted");
    expect(kernels.last.process.signals).toEqual([]);
  });

  test("that the code swallows changes nothing of how it ends", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const execution = run(session, "x");
    const request = await held.next();
    await settle();
    kernels.last.process.onSignal = () => void request.succeed({ stdout: "went on" });
    session.interrupt("x");
    expect(await resultOf(execution)).toMatchObject({ reason: "completed", is_success: true, stdout: ["went on"] });
  });

  test("that is not heard kills the kernel after the grace period", async () => {
    const { session, kernels } = await openSession({ interruptGraceMs: 5 });
    const held = hold(kernels);
    const execution = run(session, "x");
    await held.next();
    session.interrupt("x");
    const result = await resultOf(execution);
    expect(result).toMatchObject({ reason: "interrupted", state_kept: false });
    expect(result.error).toBe("The execution was interrupted; its kernel was killed, so the session's variables are lost.");
    expect(kernels.launches[0]?.process.signals).toContain("SIGKILL");
  });
});

describe("a timeout", () => {
  test("interrupts, and the result says that it timed out", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const execution = run(session, "x", { timeoutMs: 10 });
    const request = await held.next();
    kernels.last.process.onSignal = () => void request.failWith("KeyboardInterrupt", "");
    const result = await resultOf(execution);
    expect(result).toMatchObject({ reason: "timed_out", is_success: false, state_kept: true });
    expect(result.error).toBe("The execution timed out after 0.01 s and was interrupted.\n\nKeyboardInterrupt: ");
  });

  test("that the code outlasts is told, even where it ended well", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const execution = run(session, "x", { timeoutMs: 10 });
    const request = await held.next();
    kernels.last.process.onSignal = () => void request.succeed();
    expect(await resultOf(execution)).toMatchObject({
      reason: "timed_out",
      is_success: false,
      state_kept: true,
      error: expect.stringContaining("ended by itself"),
    });
  });

  test("that is not heard kills the kernel, and a fresh one takes its place with all that was loaded", async () => {
    const { session, kernels } = await openSession({ interruptGraceMs: 5 });
    await session.loadPlugin({ name: "p", code: "source", config: { a: 1 } });
    await session.updateVariables({ v: "1" });
    hold(kernels);
    const execution = run(session, "x", { timeoutMs: 10 });
    expect(await resultOf(execution)).toMatchObject({
      reason: "timed_out",
      state_kept: false,
      error: expect.stringContaining("timed out after 0.01 s"),
    });
    const fresh = await kernels.nth(2);
    const load = await fresh.kernel.nextRequest("taskweaver_load_plugin_request");
    expect(load.content).toMatchObject({ name: "p", code: "source", config: { a: 1 }, session: { session_variables: { v: "1" } } });
    expect(await resultOf(run(session, "y"))).toMatchObject({ reason: "completed", state_kept: true });
    expect(session.info.status).toBe("running");
  });

  test("is the server's where a request names none, and none where it names null", async () => {
    const { session, kernels } = await openSession({ limits: { executionTimeoutMs: 10 } });
    const held = hold(kernels);
    const execution = run(session, "x");
    const request = await held.next();
    kernels.last.process.onSignal = () => void request.failWith("KeyboardInterrupt", "");
    expect((await resultOf(execution)).reason).toBe("timed_out");
    expect(run(session, "y", { timeoutMs: null }).request.timeoutMs).toBeNull();
  });

  test("does not count the wait in the queue", async () => {
    const { session, kernels } = await openSession();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const held = hold(kernels);
    run(session, "a");
    const second = run(session, "b", { timeoutMs: 30 });
    const first = await held.next();
    vi.advanceTimersByTime(40);
    expect(second.state).toBe("queued");
    first.succeed();
    (await held.next()).succeed();
    expect((await resultOf(second)).reason).toBe("completed");
  });
});

describe("a reply that crosses the kill of its kernel", () => {
  const KILLED = "its kernel was killed in that moment, so the session's variables are lost";

  /** Code that outlasts its time; the kernel gets SIGKILL, and its process goes on until the test lets it die. */
  const killed = async (reason: "timed_out" | "interrupted"): Promise<Killed> => {
    const { session, kernels } = await openSession({ interruptGraceMs: 1 });
    const held = hold(kernels);
    const { process } = kernels.last;
    const sent = new Promise<void>((resolve) => {
      process.terminate = async () => {
        resolve();
        return process.exited;
      };
    });
    const execution = run(session, "x", reason === "timed_out" ? { timeoutMs: 1 } : {});
    const next = run(session, "next");
    const request = await held.next();
    if (reason === "interrupted") session.interrupt("x");
    await sent;
    return { execution, next, request, kernels, die: () => process.die({ signal: "SIGKILL" }) };
  };
  interface Killed {
    execution: Execution;
    next: Execution;
    request: FakeRequest;
    kernels: FakeKernels;
    die: () => void;
  }

  test("says how the code ended and that its variables are lost; what waits runs on a fresh kernel, never on the dying one", async () => {
    const { execution, next, request, kernels, die } = await killed("timed_out");
    request.succeed({ output: "1" });
    await settle();
    die();
    expect(await resultOf(execution)).toMatchObject({
      reason: "timed_out",
      state_kept: false,
      outputJson: "1",
      error: expect.stringContaining(KILLED),
    });
    expect(await resultOf(next)).toMatchObject({ reason: "completed", state_kept: true });
    expect(
      kernels.launches.map(({ kernel }) => kernel.requests.flatMap(({ type, code }) => (type === "execute_request" ? [code] : []))),
    ).toEqual([["x"], ["next"]]);
  });

  test("of an interrupt that the code outlasted is a completed execution, whose variables are lost", async () => {
    const { execution, next, request, die } = await killed("interrupted");
    request.succeed({ output: "1" });
    await settle();
    die();
    expect(await resultOf(execution)).toMatchObject({ reason: "completed", state_kept: false, error: null });
    expect(await resultOf(next)).toMatchObject({ reason: "completed", state_kept: true });
  });

  test("of an interrupt that the code heard too late tells of both", async () => {
    const { execution, request, die } = await killed("interrupted");
    request.failWith("KeyboardInterrupt", "");
    await settle();
    die();
    expect(await resultOf(execution)).toMatchObject({
      reason: "interrupted",
      state_kept: false,
      error: `The execution was interrupted; ${KILLED}.\n\nKeyboardInterrupt: `,
    });
  });

  test("without its idle status is no end: the kernel was killed while it ran", async () => {
    const { execution, next, request, die } = await killed("timed_out");
    request.reply();
    await settle();
    die();
    expect(await resultOf(execution)).toMatchObject({ reason: "timed_out", state_kept: false, outputJson: '""' });
    expect(await resultOf(next)).toMatchObject({ reason: "completed", state_kept: true });
  });

  test("before it leaves nothing to kill: a limit that ends the kernel while the result is stored ends it for the next one, which tells", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const first = run(session, "x");
    const next = run(session, "next");
    // Asked in the very moment in which the end is known and not yet told.
    const finish = first.finish.bind(first);
    first.finish = (end) => {
      session.endFor("its files take too much", "kernel");
      return finish(end);
    };
    (await held.next()).succeed();
    expect(await resultOf(first)).toMatchObject({ reason: "completed", state_kept: true });
    expect(await resultOf(next)).toMatchObject({ reason: "completed", state_kept: false });
    expect(kernels.launches).toHaveLength(2);
  });
});

describe("the kernel's death", () => {
  test.each([
    [{ exitCode: 3 }, "exit code 3"],
    [{ signal: "SIGSEGV" as const }, "signal SIGSEGV"],
    [{}, "exit code is not known"],
  ])("by %j ends the execution with its last output and says how", async (exit, words) => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const execution = run(session, "x");
    (await held.next()).stream("stdout", "last words\n");
    kernels.last.process.die({ exitCode: null, signal: null, ...exit });
    const result = await resultOf(execution);
    expect(result).toMatchObject({ reason: "kernel_died", is_success: false, state_kept: false, stdout: ["last words\n"] });
    expect(result.error).toContain(words);
  });

  test("is told by nothing but the death itself, while no clock goes: readers have result and done before what waits begins", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const execution = run(session, "x");
    const next = run(session, "y");
    await held.next();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval"] });
    onTestFinished(() => void vi.useRealTimers());
    const order: string[] = [];
    kernels.onLaunch = ({ kernel }) =>
      void kernel.onExecute((request) => {
        order.push(`${request.code} begins`);
        request.succeed();
      });
    const reading = (async () => {
      for await (const { event } of execution.log.read()) order.push(event.event);
    })();
    // As of our own kernel's process, which keeps what it wrote last.
    Object.assign(kernels.last.process, { lastOutput: async () => ({ sent: [], unsent: [] }) });
    kernels.last.process.die({ signal: "SIGKILL" });
    await reading;
    expect(await resultOf(next)).toMatchObject({ reason: "completed", state_kept: true });
    expect(order).toEqual(["result", "done", "y begins"]);
  });

  test("is followed by a fresh kernel without being asked, and what waits runs on it", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    run(session, "x");
    const next = run(session, "y");
    await held.next();
    kernels.last.process.die();
    expect(await resultOf(next)).toMatchObject({ reason: "completed", state_kept: true });
    expect(kernels.launches).toHaveLength(2);
  });

  test("between executions is told by the next one, once", async () => {
    const { session, kernels } = await openSession();
    await run(session, "a").done;
    kernels.last.process.die();
    await kernels.nth(2);
    expect((await resultOf(run(session, "b"))).state_kept).toBe(false);
    expect((await resultOf(run(session, "c"))).state_kept).toBe(true);
  });

  test("before it ever ran anything starts no kernel by itself: that might never end", async () => {
    const { session, kernels } = await openSession();
    kernels.last.process.die();
    await settle();
    expect([kernels.launches.length, session.info.status]).toEqual([1, "stopped"]);
    expect(await resultOf(run(session, "x"))).toMatchObject({ reason: "completed", state_kept: false });
  });

  test("of a fresh one too ends the next execution with the reason, and the session goes on", async () => {
    const { session, kernels } = await openSession();
    await run(session, "a").done;
    kernels.onLaunch = () => {
      throw new Error("no more processes");
    };
    kernels.last.process.die();
    const failed = await resultOf(run(session, "b"));
    expect(failed).toMatchObject({
      reason: "kernel_died",
      state_kept: false,
      started_at: null,
      error: expect.stringContaining("no more processes"),
    });
    kernels.onLaunch = () => {};
    expect(await resultOf(run(session, "c"))).toMatchObject({ reason: "completed", state_kept: false });
  });
});
