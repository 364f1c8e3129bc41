/** The end of a session: everything that runs, waits, starts or loads ends with it. */
import { describe, expect, test } from "vitest";
import { FakeKernels } from "../../helpers/fake-kernels.ts";
import { hold, newSession, openSession, rejection, run, settle } from "../../helpers/fake-session.ts";

describe("closing a session", () => {
  test("ends what runs and what waits with results of their own, and its kernel", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const [running, waiting] = [run(session, "a"), run(session, "b")];
    const loading = session.loadPlugin({ name: "p", code: "" });
    const refused = rejection(loading);
    await held.next();
    await Promise.all([session.close("The session was stopped."), session.close("again")]);
    expect(running.result).toMatchObject({
      reason: "interrupted",
      state_kept: false,
      error: expect.stringContaining("The session was stopped"),
    });
    expect(waiting.result).toMatchObject({ reason: "cancelled", error: "The session was stopped." });
    expect(await refused).toMatchObject({ code: "session_not_found" });
    expect(kernels.alive).toBe(0);
    expect(() => run(session, "c")).toThrow(expect.objectContaining({ code: "session_not_found" }));
  });

  test("while its kernel starts ends the start, and leaves no process", async () => {
    const kernels = new FakeKernels();
    kernels.onLaunch = ({ kernel }) => void kernel.silence();
    const { session } = await newSession({ kernels });
    const opening = rejection(session.open());
    const waiting = run(session, "x");
    await kernels.nth(1);
    await session.close("The session was stopped.");
    expect(await opening).toMatchObject({ code: "kernel_start_failed" });
    expect(waiting.result?.reason).toBe("cancelled");
    expect([kernels.alive, kernels.launches.length]).toEqual([0, 1]);
    await expect(session.restart()).rejects.toMatchObject({ code: "session_not_found" });
  });

  test("while a plugin loads again waits for no plugin", async () => {
    const { session, kernels } = await openSession();
    await session.loadPlugin({ name: "p", code: "" });
    kernels.onLaunch = ({ kernel }) => void kernel.on("taskweaver_load_plugin_request", () => {});
    await run(session, "a").done;
    kernels.last.process.die();
    await (await kernels.nth(2)).kernel.nextRequest("taskweaver_load_plugin_request");
    await session.close("The session was stopped.");
    expect(kernels.alive).toBe(0);
  });

  test("gives readers under way the result and the end", async () => {
    const { session, kernels } = await openSession();
    const held = hold(kernels);
    const execution = run(session, "x");
    (await held.next()).stream("stdout", "hi");
    const events: string[] = [];
    const reading = (async () => {
      for await (const { event } of execution.log.read()) events.push(event.event);
    })();
    await settle();
    await session.close("The session was stopped.");
    await reading;
    expect(events).toEqual(["output", "result", "done"]);
    expect(execution.log.discarded).toBe(true);
  });
});
