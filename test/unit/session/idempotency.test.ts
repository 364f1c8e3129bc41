/** A repeat of a request returns the first one's execution and runs nothing. */
import { describe, expect, test } from "vitest";
import { openSession, resultOf, run, settle } from "../../helpers/fake-session.ts";

const REQUEST = { executionId: "x", code: "1", timeoutMs: undefined, allowInput: false };

describe("a request with the same key", () => {
  test("and the same body gets the same execution, while it runs and when it is done", async () => {
    const { session, kernels } = await openSession();
    const first = session.execute(REQUEST, { key: "k", body: { a: 1 } });
    expect(session.execute(REQUEST, { key: "k", body: { a: 1 } })).toBe(first);
    await first.done;
    expect(session.execute(REQUEST, { key: "k", body: { a: 1 } })).toBe(first);
    expect(kernels.last.kernel.requests.filter((one) => one.type === "execute_request")).toHaveLength(1);
    expect(session.info.execution_count).toBe(1);
  });

  test("and another body is refused", async () => {
    const { session } = await openSession();
    session.execute(REQUEST, { key: "k", body: { a: 1 } });
    expect(() => session.execute(REQUEST, { key: "k", body: { a: 2 } })).toThrow(expect.objectContaining({ code: "idempotency_mismatch" }));
  });

  test("in another session is another request", async () => {
    const [one, other] = [await openSession(), await openSession()];
    const first = one.session.execute(REQUEST, { key: "k", body: 1 });
    expect(other.session.execute(REQUEST, { key: "k", body: 2 })).not.toBe(first);
  });

  test("that was refused the first time is tried again", async () => {
    const { session } = await openSession({ limits: { maxQueue: 1 } });
    const running = [run(session, "a"), run(session, "b")];
    const send = () => session.execute(REQUEST, { key: "k", body: 1 });
    expect(send).toThrow(expect.objectContaining({ code: "queue_limit" }));
    await Promise.all(running.map((one) => one.done));
    expect((await resultOf(send())).reason).toBe("completed");
  });

  test("runs anew when the first one's stream is no longer kept", async () => {
    const { session } = await openSession({ streamRetentionMs: 0 });
    const first = session.execute(REQUEST, { key: "k", body: 1 });
    await first.done;
    await first.streamExpired;
    await settle();
    expect(session.execute(REQUEST, { key: "k", body: 2 })).not.toBe(first);
  });
});

test("without a key every request runs", async () => {
  const { session } = await openSession();
  await session.execute(REQUEST).done;
  await session.execute(REQUEST).done;
  expect(session.info.execution_count).toBe(2);
});

test("one that was cancelled in the queue keeps its stream no longer than others", async () => {
  const { session } = await openSession({ streamRetentionMs: 0 });
  run(session, "a");
  const cancelled = run(session, "b");
  session.interrupt("b");
  await cancelled.streamExpired;
  expect(cancelled).toMatchObject({ state: "done", log: { discarded: true }, end: { reason: "cancelled" } });
});
