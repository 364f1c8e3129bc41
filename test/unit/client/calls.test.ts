/** What each call of the client sends and gives back. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { API_PREFIX } from "../../../src/api/index.ts";
import { ExecutionClient } from "../../../src/client/index.ts";
import { FakeServer, sendError, sendJson, serveExecution, complete } from "./fake-server.ts";

let server: FakeServer;
let client: ExecutionClient;

beforeEach(async () => {
  server = await FakeServer.start();
  client = new ExecutionClient({ url: server.url, apiKey: "secret" });
});

afterEach(async () => {
  await server.close();
});

const sessionInfo = {
  session_id: "s",
  status: "running",
  created_at: "2025-01-01T00:00:00Z",
  last_activity: "2025-01-01T00:00:00Z",
  loaded_plugins: [],
  execution_count: 0,
  cwd: "/w/s",
  kernel: "python3",
  idle_timeout: 0,
};

test("every request goes below the contract's prefix and carries the key", async () => {
  server.on("GET", /./, (_request, response) => sendJson(response, 200, { sessions: [] }));
  await client.listSessions();
  expect(server.requests[0]!.path).toBe(`${API_PREFIX}/sessions`);
  expect(server.requests[0]!.headers["x-api-key"]).toBe("secret");
});

test("a URL that already ends in the prefix is taken as meant", async () => {
  server.on("GET", /./, (_request, response) => sendJson(response, 200, { sessions: [] }));
  await new ExecutionClient({ url: `${server.url}/api/v1/` }).listSessions();
  expect(server.requests[0]!.path).toBe("/api/v1/sessions");
});

test("start makes a session with its options, in the wire's names and seconds", async () => {
  server.on("POST", /\/sessions$/, (_request, response) =>
    sendJson(response, 201, { session_id: "s", status: "created", cwd: "/w/own", cwd_requested: "/host/dir" }),
  );
  const session = await client.start("s", { cwd: "/host/dir", kernel: "python3", idleTimeoutMs: 1500, env: { A: "1" }, requires: ["gpu"] });
  expect(JSON.parse(server.requests[0]!.body)).toEqual({
    session_id: "s",
    cwd: "/host/dir",
    kernel: "python3",
    idle_timeout: 1.5,
    env: { A: "1" },
    requires: ["gpu"],
  });
  expect(session).toMatchObject({ sessionId: "s", cwd: "/w/own", cwdRequested: "/host/dir", isReused: false });
});

test("start without an id makes one up", async () => {
  server.on("POST", /\/sessions$/, (request, response) =>
    sendJson(response, 201, { ...(JSON.parse(request.body) as object), status: "created", cwd: "/w" }),
  );
  expect((await client.start()).sessionId).toMatch(/^session-[0-9a-f]{12}$/);
});

test("a session that exists is reused", async () => {
  server.on("POST", /\/sessions$/, (_request, response) =>
    sendError(response, 409, "session_exists", "A session with this id exists already."),
  );
  server.on("GET", /\/sessions\/s$/, (_request, response) => sendJson(response, 200, sessionInfo));
  expect(await client.start("s")).toMatchObject({ cwd: "/w/s", isReused: true });
});

test("a session that exists is a fault where that is asked for", async () => {
  server.on("POST", /\/sessions$/, (_request, response) =>
    sendError(response, 409, "session_exists", "A session with this id exists already."),
  );
  await expect(client.start("s", { ifExists: "error" })).rejects.toMatchObject({ code: "session_exists", statusCode: 409 });
});

test("a start whose answer was lost finds its own session", async () => {
  let tries = 0;
  server.on("POST", /\/sessions$/, (_request, response) => {
    tries += 1;
    if (tries === 1) response.destroy();
    else sendError(response, 409, "session_exists", "A session with this id exists already.");
  });
  server.on("GET", /\/sessions\/s$/, (_request, response) => sendJson(response, 200, sessionInfo));
  expect(await client.start("s", { ifExists: "error" })).toMatchObject({ isReused: false });
});

test("a stop whose answer was lost is a stop", async () => {
  let tries = 0;
  server.on("DELETE", /\/sessions\/s$/, (_request, response) => {
    tries += 1;
    if (tries === 1) response.destroy();
    else sendError(response, 404, "session_not_found", "There is no such session.");
  });
  expect(await client.stop("s")).toEqual({ session_id: "s", status: "stopped" });
});

test("stopping a session that never was is a fault", async () => {
  server.on("DELETE", /./, (_request, response) => sendError(response, 404, "session_not_found", "There is no such session."));
  await expect(client.stop("s")).rejects.toMatchObject({ code: "session_not_found" });
});

test("a handle that leaves its scope stops the session it started, not one it found", async () => {
  server.on("POST", /\/sessions$/, (_request, response) => sendJson(response, 201, { session_id: "s", status: "created", cwd: "/w" }));
  server.on("DELETE", /./, (_request, response) => sendJson(response, 200, { session_id: "s", status: "stopped" }));
  {
    await using session = await client.start("s");
    expect(session.sessionId).toBe("s");
  }
  {
    await using session = client.session("other");
    expect(session.sessionId).toBe("other");
  }
  expect(server.seen("DELETE", /./).map(({ path }) => path)).toEqual(["/api/v1/sessions/s"]);
});

test("plugins, variables, lists and states go to their paths", async () => {
  for (const method of ["GET", "POST", "DELETE"]) {
    server.on(method, /./, (_request, response) => sendJson(response, 200, { sessions: [1], executions: [2], files: [3] }));
  }
  const session = client.session("a b");
  await session.loadPlugin({ name: "p", code: "x = 1", config: { k: 1 } });
  await session.testPlugin("p");
  await session.unloadPlugin("p");
  await session.updateSessionVar({ a: "1" });
  await session.getSessionInfo();
  await session.restart();
  await session.interrupt("e/1");
  await session.getExecution("e");
  expect(await session.listExecutions()).toEqual([2]);
  expect(await session.listFiles()).toEqual([3]);
  expect(await client.listSessions()).toEqual([1]);
  expect(server.requests.map(({ method, path, body }) => `${method} ${path.slice(7)} ${body}`.trim())).toEqual([
    'POST /sessions/a%20b/plugins {"name":"p","code":"x = 1","config":{"k":1}}',
    "POST /sessions/a%20b/plugins/p/test",
    "DELETE /sessions/a%20b/plugins/p",
    'POST /sessions/a%20b/variables {"variables":{"a":"1"}}',
    "GET /sessions/a%20b",
    "POST /sessions/a%20b/restart",
    "POST /sessions/a%20b/execute/e%2F1/interrupt",
    "GET /sessions/a%20b/execute/e",
    "GET /sessions/a%20b/executions",
    "GET /sessions/a%20b/files",
    "GET /sessions",
  ]);
});

test("executing code sends the wire's names and seconds", async () => {
  serveExecution(server, { events: complete([]) });
  await client.executeCode("s", "1", { executionId: "e1", executionTimeoutMs: 2500, allowInput: true });
  expect(JSON.parse(server.requests[0]!.body)).toEqual({ exec_id: "e1", code: "1", stream: true, timeout: 2.5, allow_input: true });
});

test.each([
  ["text", "naïve"],
  ["bytes", new TextEncoder().encode("naïve")],
  ["a blob", new Blob(["naïve"])],
  ["a stream", new Blob(["naïve"]).stream()],
])("a file is uploaded from %s as it is", async (_kind, content) => {
  server.on("PUT", /./, (_request, response) =>
    sendJson(response, 201, { path: "data/a ä.txt", size: 6, modified_at: "2025-01-01T00:00:00Z" }),
  );
  await client.uploadFile("s", "data/a ä.txt", content);
  expect(server.requests[0]).toMatchObject({ path: "/api/v1/sessions/s/files/data/a%20%C3%A4.txt", body: "naïve" });
  expect(server.requests[0]!.headers["content-type"]).toBe("application/octet-stream");
});

test("health gives what the server says of itself", async () => {
  server.on("GET", /\/health$/, (_request, response) =>
    sendJson(response, 200, { status: "healthy", version: "0.1.0", active_sessions: 2 }),
  );
  expect(await client.health()).toEqual({ status: "healthy", version: "0.1.0", active_sessions: 2 });
});

test.each(["", ".", ".."])("an id %j, which a URL would take for another place, is sent nowhere", async (id) => {
  server.on("DELETE", /./, (_request, response) => sendJson(response, 200, {}));
  serveExecution(server, { events: complete([]) });
  for (const call of [client.stop(id), client.interrupt("s", id), client.executeCode(id, "1"), client.uploadFile("s", `a/${id}`, "x")]) {
    await expect(call).rejects.toMatchObject({ code: "invalid_option" });
  }
  await expect(client.downloadArtifact("s", `${id}/a`)).rejects.toMatchObject({ code: "invalid_option" });
  expect(server.requests).toHaveLength(0);
});
