/** Sessions and what belongs to them, over HTTP: shapes, statuses, Retry-After. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openApp, openAppWithSession } from "../../helpers/test-app.ts";
import { hold, settle } from "../../helpers/fake-session.ts";
import { sharedByAll } from "../../helpers/when-done.ts";

const empty = sharedByAll(() => openApp());
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe("POST /sessions", () => {
  test("makes one and says where it works", async () => {
    const { call, workDirectory } = await openApp();
    const answer = await call("POST", "/sessions", { session_id: "my-session" });
    expect([answer.statusCode, answer.json()]).toEqual([
      201,
      { session_id: "my-session", status: "created", cwd: join(workDirectory, "sessions/my-session/cwd") },
    ]);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
  });

  test("says which cwd was asked for where it could not be used", async () => {
    const { call, workDirectory } = await openApp();
    const answer = await call("POST", "/sessions", { session_id: "s1", cwd: "/dev/null/project" });
    expect(answer.json()).toEqual({
      session_id: "s1",
      status: "created",
      cwd: join(workDirectory, "sessions/s1/cwd"),
      cwd_requested: "/dev/null/project",
    });
  });

  test("of one that is there is 409, which clients take as: use it", async () => {
    const { call } = await openAppWithSession();
    const answer = await call("POST", "/sessions", { session_id: "s1" });
    expect([answer.statusCode, answer.json()]).toEqual([409, { detail: "Session s1 exists already.", code: "session_exists" }]);
    expect((await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" })).statusCode).toBe(200);
  });

  test("past the limit is 429 with the time to wait", async () => {
    const { call } = await openAppWithSession({ store: { maxSessions: 1 } });
    const answer = await call("POST", "/sessions", { session_id: "s2" });
    expect([answer.statusCode, answer.json().code, answer.headers["retry-after"]]).toEqual([429, "session_limit", "10"]);
  });
});

describe("GET /sessions/{session_id}", () => {
  test("tells all about it, as the list does", async () => {
    const { call, workDirectory } = await openAppWithSession();
    await call("POST", "/sessions/s1/plugins", { name: "sql_pull_data", code: "" });
    await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const info = (await call("GET", "/sessions/s1")).json();
    expect(info).toMatchObject({
      session_id: "s1",
      status: "running",
      created_at: expect.stringMatching(RFC3339),
      last_activity: expect.stringMatching(RFC3339),
      loaded_plugins: ["sql_pull_data"],
      execution_count: 1,
      cwd: join(workDirectory, "sessions/s1/cwd"),
      kernel: "python3",
      idle_timeout: 0,
    });
    expect(Date.parse(info.last_activity)).toBeGreaterThanOrEqual(Date.parse(info.created_at));
    expect((await call("GET", "/sessions")).json()).toEqual({ sessions: [info] });
  });

  test.each([
    "GET /x",
    "DELETE /x",
    "POST /x/restart",
    "GET /x/executions",
    "GET /x/execute/y",
    "GET /x/execute/y/stream",
    "GET /x/files",
    "GET /x/artifacts/f",
  ])("and all else below it is 404 where there is none: %s", async (line) => {
    const { call } = empty();
    const [method, path] = line.split(" ") as [string, string];
    const answer = await call(method, `/sessions${path}`);
    expect([answer.statusCode, answer.json()]).toEqual([404, { detail: "There is no session x.", code: "session_not_found" }]);
  });

  test.each(["..%2fx", "%00", ".x", "a%20b", "a%2fb", "x".repeat(300)])("of the odd id %s is 422", async (id) => {
    const { call } = empty();
    const answer = await call("GET", `/sessions/${id}`);
    expect([answer.statusCode, answer.json().code]).toEqual([422, "invalid_request"]);
    expect(answer.json().errors[0].path).toBe("/params/session_id");
  });

  test.each(["", "%", "%zz", "%ff", "a/b/c", "x".repeat(9000)])("of the path /sessions/%s is 404 or 422, with a sentence", async (id) => {
    const { call } = empty();
    const answer = await call("GET", `/sessions/${id}`);
    expect([404, 422]).toContain(answer.statusCode);
    expect(answer.json()).toMatchObject({ detail: expect.any(String), code: expect.any(String) });
  });
});

describe("DELETE /sessions/{session_id}", () => {
  test("ends and forgets it; a second time there is none", async () => {
    const { call, kernels } = await openAppWithSession();
    const answer = await call("DELETE", "/sessions/s1");
    expect([answer.statusCode, answer.json()]).toEqual([200, { session_id: "s1", status: "stopped" }]);
    expect(kernels.alive).toBe(0);
    expect((await call("DELETE", "/sessions/s1")).statusCode).toBe(404);
  });

  test("gives who waits for a result 200 and the reason", async () => {
    const { call, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const waiting = ["a", "b"].map((exec_id) => call("POST", "/sessions/s1/execute", { exec_id, code: "" }));
    await held.next();
    await settle();
    await call("DELETE", "/sessions/s1");
    const answers = await Promise.all(waiting);
    expect(answers.map((answer) => [answer.statusCode, answer.json().reason])).toEqual([
      [200, "interrupted"],
      [200, "cancelled"],
    ]);
  });
});

test("POST restart answers as GET does, with a fresh kernel", async () => {
  const { call, kernels } = await openAppWithSession();
  const answer = await call("POST", "/sessions/s1/restart");
  expect([answer.statusCode, answer.json()]).toEqual([200, (await call("GET", "/sessions/s1")).json()]);
  expect(kernels.launches).toHaveLength(2);
});

describe("variables", () => {
  test("are answered as they were sent, an empty set too, whatever runs", async () => {
    const { call, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const running = call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const request = await held.next();
    for (const variables of [{}, { a: "1", "odd name": "ü\u2028" }]) {
      const answer = await call("POST", "/sessions/s1/variables", { variables });
      expect([answer.statusCode, answer.json()]).toEqual([200, { status: "updated", variables }]);
    }
    request.succeed();
    await running;
  });

  test("called __proto__ or constructor are variables like others", async () => {
    const { call, kernels } = await openAppWithSession();
    const text = '{"variables":{"__proto__":"p","constructor":"c"}}';
    const headers = { "content-type": "application/json", "x-api-key": "correct-key" };
    const answer = await call("POST", "/sessions/s1/variables", text, { headers });
    expect(answer.body).toBe('{"status":"updated","variables":{"__proto__":"p","constructor":"c"}}');
    await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const sent = (await kernels.last.kernel.nextRequest("execute_request")).taskweaver["session_variables"];
    expect(JSON.stringify(sent)).toBe('{"__proto__":"p","constructor":"c"}');
  });
});

describe("plugins", () => {
  test("load, are tested, and unload", async () => {
    const { call, kernels } = await openAppWithSession();
    const tests = [{ name: "t", description: "what it does", is_success: true, error: null }];
    kernels.last.kernel.on("taskweaver_test_plugin_request", (request) => void request.answer({ status: "ok", tests }));
    expect((await call("POST", "/sessions/s1/plugins", { name: "p", code: "c", config: { a: null } })).json()).toEqual({
      name: "p",
      status: "loaded",
    });
    expect((await kernels.last.kernel.nextRequest("taskweaver_load_plugin_request")).content).toMatchObject({ config: { a: null } });
    expect((await call("POST", "/sessions/s1/plugins/p/test")).json()).toEqual({ name: "p", is_success: true, tests });
    expect((await call("DELETE", "/sessions/s1/plugins/p")).json()).toEqual({ name: "p", status: "unloaded" });
    for (const [method, path] of [
      ["POST", "p/test"],
      ["DELETE", "p"],
    ] as const) {
      const answer = await call(method, `/sessions/s1/plugins/${path}`);
      expect([answer.statusCode, answer.json().code]).toEqual([404, "plugin_not_found"]);
    }
  });

  test("that fail to load are 400 with the reason", async () => {
    const { call, kernels } = await openAppWithSession();
    kernels.last.kernel.on(
      "taskweaver_load_plugin_request",
      (request) => void request.answer({ status: "error", evalue: "no plugin is registered" }),
    );
    const answer = await call("POST", "/sessions/s1/plugins", { name: "p", code: "" });
    expect([answer.statusCode, answer.json()]).toEqual([
      400,
      { detail: "Plugin p failed to load: no plugin is registered", code: "plugin_failed" },
    ]);
  });
});

describe("health", () => {
  test("says that it is healthy, which version, and how many sessions there are", async () => {
    const { call } = await openAppWithSession();
    expect((await call("GET", "/health")).json()).toEqual({ status: "healthy", version: "1.2.3", active_sessions: 1 });
    expect((await call("GET", "/ready")).json()).toMatchObject({ status: "ready", sessions: 1, executions: 0 });
  });

  test("while sessions are being taken back: healthy but not ready, and nobody is told that there are none", async () => {
    let isStarting = true;
    const { call } = await openApp({ isStarting: () => isStarting });
    expect((await call("GET", "/health")).statusCode).toBe(200);
    const ready = await call("GET", "/ready");
    expect([ready.statusCode, ready.json()]).toMatchObject([503, { status: "starting", sessions: 0, executions: 0 }]);
    for (const path of ["/sessions", "/sessions/s1", "/sessions/s1/execute/x/stream", "//metrics", "//api/kernels"]) {
      const answer = await call("GET", path);
      expect([path, answer.statusCode, answer.json().code, answer.headers["retry-after"]]).toEqual([path, 503, "starting", "1"]);
    }
    expect((await call("GET", "/sessions", undefined, { headers: { "x-api-key": "wrong" } })).statusCode).toBe(401);
    isStarting = false;
    expect((await call("GET", "/ready")).json()).toMatchObject({ status: "ready" });
    expect((await call("GET", "/sessions")).json()).toEqual({ sessions: [] });
  });

  test("while the server goes down: healthy but not ready, no new work, what runs goes on", async () => {
    const { call, store, kernels } = await openAppWithSession();
    const held = hold(kernels);
    const running = call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const request = await held.next();
    await settle();
    store.refuseNewWork();
    expect((await call("GET", "/health")).statusCode).toBe(200);
    const ready = await call("GET", "/ready");
    expect([ready.statusCode, ready.json()]).toMatchObject([503, { status: "draining", sessions: 1, executions: 1 }]);
    for (const [path, body] of [
      ["/sessions", { session_id: "s2" }],
      ["/sessions/s1/execute", { exec_id: "y", code: "" }],
      ["/sessions/s1/plugins", { name: "p", code: "" }],
      ["/sessions/s1/restart", undefined],
    ] as const) {
      const answer = await call("POST", path, body);
      expect([answer.statusCode, answer.json().code, answer.headers["retry-after"]]).toEqual([503, "shutting_down", "5"]);
    }
    request.succeed();
    expect((await running).json()).toMatchObject({ reason: "completed" });
  });
});

describe("leases", () => {
  test("are taken, renewed and given back", async () => {
    const { call } = empty();
    const taken = await call("POST", "/leases/l1", { seconds: 60 });
    expect([taken.statusCode, taken.json()]).toEqual([201, { lease_id: "l1", seconds: 60 }]);
    const renewed = await call("PUT", "/leases/l1", { seconds: 30.5 });
    expect([renewed.statusCode, renewed.json()]).toEqual([200, { lease_id: "l1", seconds: 30.5 }]);
    const ended = await call("DELETE", "/leases/l1");
    expect([ended.statusCode, ended.json().lease_id]).toEqual([200, "l1"]);
    expect(ended.json().seconds).toBeGreaterThan(30);
    for (const method of ["PUT", "DELETE"]) {
      const answer = await call(method, "/leases/l1", method === "PUT" ? { seconds: 1 } : undefined);
      expect([answer.statusCode, answer.json().code]).toEqual([404, "lease_not_found"]);
    }
  });

  test.each([{ seconds: 0 }, { seconds: -1 }, { seconds: 86_401 }, { seconds: "60" }, {}])("of %j are 422", async (body) => {
    const { call } = empty();
    expect((await call("POST", "/leases/l1", body)).statusCode).toBe(422);
  });
});

describe("paths and methods", () => {
  test("that are not there are 404, known paths with another method 405 with those it takes", async () => {
    const { call } = empty();
    for (const path of ["/nothing", "//api/v1", "/sessions/", "/Sessions", "/sessions/s1/unknown", "/health/"]) {
      const answer = await call("GET", path);
      expect([path, answer.statusCode]).toEqual([path, path === "/sessions/" ? 422 : 404]);
      expect(answer.json()).toMatchObject({ detail: expect.any(String), code: path === "/sessions/" ? "invalid_request" : "not_found" });
    }
    for (const [method, path, allow] of [
      ["PUT", "/sessions", "POST, GET"],
      ["POST", "/health", "GET"],
      ["PATCH", "/sessions/s1/artifacts/f", "GET, HEAD"],
      ["GET", "/sessions/s1/execute", "POST"],
    ] as const) {
      const answer = await call(method, path);
      expect([answer.statusCode, answer.json().code]).toEqual([405, "method_not_allowed"]);
      expect(String(answer.headers.allow).split(", ").toSorted()).toEqual(allow.split(", ").toSorted());
    }
  });

  test("answer without hints for sniffers, and never with a stack", async () => {
    const { call } = empty();
    for (const path of ["/health", "/nothing", "/sessions/..%2f"]) {
      const answer = await call("GET", path);
      expect(answer.headers["x-content-type-options"]).toBe("nosniff");
      expect(answer.body).not.toMatch(/at .*\.ts|node_modules|\n\s+at /);
    }
  });
});
