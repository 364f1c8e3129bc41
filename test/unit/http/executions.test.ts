/** Executions over HTTP: run and wait, seen, interrupted, asked, repeated. */
import { describe, expect, test, vi } from "vitest";
import { hold, resultOf, settle } from "../../helpers/fake-session.ts";
import { KEY, openAppWithSession, type TestApp } from "../../helpers/test-app.ts";

const EXECUTE = "/sessions/s1/execute";
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe("POST execute", () => {
  test("answers with the result of the contract, the kernel's value unchanged", async () => {
    const { call, kernels } = await openAppWithSession();
    kernels.last.kernel.onExecute((request) => void request.succeed({ stdout: "hi\n", output: "3.0", variables: [["x", "3.0"]] }));
    const answer = await call("POST", EXECUTE, { exec_id: "exec-001", code: "x = 3.0" });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(answer.body).toContain('"output":3.0,');
    expect(answer.json()).toEqual({
      execution_id: "exec-001",
      is_success: true,
      error: null,
      output: 3,
      output_text: null,
      stdout: ["hi\n"],
      stderr: [],
      log: [],
      artifact: [],
      variables: [["x", "3.0"]],
      reason: "completed",
      state_kept: true,
      started_at: expect.stringMatching(RFC3339),
      finished_at: expect.stringMatching(RFC3339),
      truncated: null,
    });
  });

  test("of code that raises is 200 all the same", async () => {
    const { call, kernels } = await openAppWithSession();
    kernels.last.kernel.onExecute((request) => void request.failWith("ValueError", "bad"));
    const answer = await call("POST", EXECUTE, { exec_id: "x", code: "raise" });
    expect([answer.statusCode, answer.json()]).toMatchObject([
      200,
      { is_success: false, error: "ValueError: bad", output: "", reason: "error" },
    ]);
  });

  test("with stream answers at once, with a path to join to the URL", async () => {
    const { call, kernels } = await openAppWithSession();
    hold(kernels);
    const answer = await call("POST", EXECUTE, { exec_id: "exec-002", code: "", stream: true });
    expect([answer.statusCode, answer.json()]).toEqual([
      202,
      { execution_id: "exec-002", stream_url: "/api/v1/sessions/s1/execute/exec-002/stream" },
    ]);
  });

  test("under an id that runs or waits is 409; one that is done is replaced", async () => {
    const { call, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const first = call("POST", EXECUTE, { exec_id: "x", code: "1" });
    const request = await held.next();
    const refused = await call("POST", EXECUTE, { exec_id: "x", code: "2" });
    expect([refused.statusCode, refused.json().code]).toEqual([409, "execution_exists"]);
    request.succeed({ stdout: "one" });
    await first;
    const second = call("POST", EXECUTE, { exec_id: "x", code: "2" });
    (await held.next()).succeed({ stdout: "two" });
    expect((await second).json().stdout).toEqual(["two"]);
    expect((await call("GET", `${EXECUTE}/x`)).json().result.stdout).toEqual(["two"]);
  });

  test("past the queue's limit is 429 with the time to wait", async () => {
    const { call, kernels } = await openAppWithSession({ store: { maxQueue: 1 } });
    hold(kernels);
    for (const exec_id of ["a", "b"]) await call("POST", EXECUTE, { exec_id, code: "", stream: true });
    const answer = await call("POST", EXECUTE, { exec_id: "c", code: "" });
    expect([answer.statusCode, answer.json().code, answer.headers["retry-after"]]).toEqual([429, "queue_limit", "1"]);
  });

  test("takes its timeout in seconds and says so in words when it is over", async () => {
    const { call, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const answer = call("POST", EXECUTE, { exec_id: "x", code: "", timeout: 0.02 });
    const request = await held.next();
    kernels.last.process.onSignal = () => void request.failWith("KeyboardInterrupt", "");
    expect((await answer).json()).toMatchObject({
      reason: "timed_out",
      is_success: false,
      error: expect.stringContaining("timed out after 0.02 s"),
    });
  });

  test("goes on when its client leaves", async () => {
    const { serve, store, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const left = new AbortController();
    const url = `${await serve()}/api/v1${EXECUTE}`;
    const headers = { "content-type": "application/json", "x-api-key": KEY };
    const posting = fetch(url, { method: "POST", headers, body: '{"exec_id":"x","code":""}', signal: left.signal }).catch(() => "left");
    const request = await held.next();
    left.abort();
    expect(await posting).toBe("left");
    request.succeed({ stdout: "still here" });
    expect(await resultOf(store.get("s1").execution("x"))).toMatchObject({ reason: "completed", stdout: ["still here"] });
  });
});

describe("an Idempotency-Key", () => {
  test("lets a repeat wait for the first one's result, in whatever way the body is written", async () => {
    const { call, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const first = send(call, '{"exec_id":"x","code":"1"}');
    const request = await held.next();
    const repeat = send(call, '{ "code": "1", "timeout": null, "exec_id": "x", "stream": false }');
    await settle();
    request.succeed({ stdout: "once" });
    expect((await repeat).body).toBe((await first).body);
    expect((await send(call, '{"exec_id":"x","code":"1"}')).json().stdout).toEqual(["once"]);
    expect(kernels.last.kernel.requests.filter((one) => one.type === "execute_request")).toHaveLength(1);
  });

  test.each([
    '{"exec_id":"x","code":"2"}',
    '{"exec_id":"y","code":"1"}',
    '{"exec_id":"x","code":"1","stream":true}',
    '{"exec_id":"x","code":"1","timeout":5}',
  ])("with the other body %s is 422", async (body) => {
    const { call } = await openAppWithSession();
    await send(call, '{"exec_id":"x","code":"1"}');
    const answer = await send(call, body);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      422,
      { code: "idempotency_mismatch", errors: [{ path: "/headers/idempotency-key" }] },
    ]);
  });

  test("works for streams too: the repeat names the same stream", async () => {
    const { call } = await openAppWithSession();
    const body = '{"exec_id":"x","code":"1","stream":true}';
    const first = await send(call, body);
    expect([(await send(call, body)).json(), first.statusCode]).toEqual([first.json(), 202]);
  });

  test("that is empty is none", async () => {
    const { call, store } = await openAppWithSession();
    for (const _ of [1, 2]) await send(call, '{"exec_id":"x","code":"1"}', "");
    expect(store.get("s1").info.execution_count).toBe(2);
  });

  function send(call: TestApp["call"], body: string, key = "k") {
    return call("POST", EXECUTE, body, { headers: { "content-type": "application/json", "x-api-key": KEY, "idempotency-key": key } });
  }
});

describe("an execution's state", () => {
  test("goes from queued with a place over running to done with the result", async () => {
    const { call, kernels } = await openAppWithSession();
    const held = hold(kernels);
    for (const exec_id of ["a", "b"]) await call("POST", EXECUTE, { exec_id, code: "", stream: true });
    const first = await held.next();
    const times = { queued_at: expect.stringMatching(RFC3339), started_at: null, finished_at: null };
    expect((await call("GET", `${EXECUTE}/b`)).json()).toMatchObject({ execution_id: "b", state: "queued", position: 1, ...times });
    const running = { execution_id: "a", state: "running", ...times, started_at: expect.stringMatching(RFC3339) };
    expect((await call("GET", `${EXECUTE}/a`)).json()).toMatchObject(running);
    first.succeed();
    (await held.next()).succeed({ output: "[1, 2.0]" });
    await vi.waitFor(async () => expect((await call("GET", `${EXECUTE}/b`)).json().state).toBe("done"));
    const done = await call("GET", `${EXECUTE}/b`);
    expect(done.body).toContain('"output":[1, 2.0],');
    expect(done.json()).toMatchObject({ state: "done", finished_at: expect.stringMatching(RFC3339), result: { execution_id: "b" } });
    const list = (await call("GET", "/sessions/s1/executions")).json().executions as Record<string, unknown>[];
    expect(list.map((one) => one["execution_id"])).toEqual(["b", "a"]);
    for (const one of list) expect(one).not.toHaveProperty("result");
  });

  test("of one that is not there is 404", async () => {
    const { call } = await openAppWithSession();
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/stream"],
      ["POST", "/interrupt"],
    ] as const) {
      const answer = await call(method, `${EXECUTE}/x${path}`);
      expect([answer.statusCode, answer.json().code]).toEqual([404, "execution_not_found"]);
    }
    expect((await call("POST", `${EXECUTE}/x/input`, { text: "" })).json().code).toBe("execution_not_found");
  });

  test("outlives its stream", async () => {
    const { call } = await openAppWithSession({ store: { streamRetentionMs: 0 } });
    await call("POST", EXECUTE, { exec_id: "x", code: "" });
    await vi.waitFor(async () => {
      const answer = await call("GET", `${EXECUTE}/x/stream`);
      expect([answer.statusCode, answer.json?.().code]).toEqual([404, "stream_expired"]);
    });
    expect((await call("GET", `${EXECUTE}/x`)).json()).toMatchObject({ state: "done", result: { reason: "completed" } });
  });
});

describe("POST interrupt", () => {
  test("ends a running execution, a queued one at once with its result, and is 409 for one that is done", async () => {
    const { call, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const [running, queued] = ["a", "b"].map((exec_id) => call("POST", EXECUTE, { exec_id, code: "" })) as [
      ReturnType<typeof call>,
      ReturnType<typeof call>,
    ];
    const request = await held.next();
    await settle();
    const cancelled = await call("POST", `${EXECUTE}/b/interrupt`);
    expect([cancelled.statusCode, cancelled.json()]).toMatchObject([
      200,
      { execution_id: "b", state: "done", result: { reason: "cancelled" } },
    ]);
    expect((await queued).json()).toMatchObject({ reason: "cancelled", started_at: null });
    kernels.last.process.onSignal = () => void request.failWith("KeyboardInterrupt", "");
    const interrupted = await call("POST", `${EXECUTE}/a/interrupt`);
    expect([interrupted.statusCode, interrupted.json()]).toMatchObject([200, { execution_id: "a", state: "running" }]);
    expect(await running).toMatchObject({ statusCode: 200, body: expect.stringContaining("KeyboardInterrupt") });
    const late = await call("POST", `${EXECUTE}/a/interrupt`);
    expect([late.statusCode, late.json().code]).toEqual([409, "execution_done"]);
  });
});

describe("POST input", () => {
  test("answers what asks, and is 409 where nothing does", async () => {
    const { call, kernels, store } = await openAppWithSession();
    const answers: string[] = [];
    kernels.last.kernel.onExecute(async (request) => {
      request.begin();
      answers.push(await request.input("name? ", true));
      request.succeed();
    });
    const running = call("POST", EXECUTE, { exec_id: "x", code: "input()", allow_input: true });
    await vi.waitFor(() => expect(store.get("s1").execution("x").log.lastId).toBe(1));
    const sent = await call("POST", `${EXECUTE}/x/input`, { text: "Ada" });
    expect([sent.statusCode, sent.json()]).toEqual([200, { status: "sent" }]);
    await running;
    expect(answers).toEqual(["Ada"]);
    const late = await call("POST", `${EXECUTE}/x/input`, { text: "Ada" });
    expect([late.statusCode, late.json().code]).toEqual([409, "no_input_requested"]);
    expect(kernels.last.kernel.requests.find((one) => one.type === "execute_request")?.content["allow_stdin"]).toBe(true);
  });
});
