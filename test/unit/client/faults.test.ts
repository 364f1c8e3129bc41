/** What the client says when something is wrong, and when it tries again. */
import { createServer as createTcpServer } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ExecutionClient, ExecutionClientError } from "../../../src/client/index.ts";
import { FakeServer, sendError, sendJson } from "./fake-server.ts";

let server: FakeServer;
let client: ExecutionClient;

beforeEach(async () => {
  server = await FakeServer.start();
  client = new ExecutionClient({ url: server.url, timeoutMs: 5_000 });
});

afterEach(async () => {
  await server.close();
});

async function faultOf(promise: PromiseLike<unknown>): Promise<ExecutionClientError> {
  const error = await promise.then(
    () => new Error("nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ExecutionClientError);
  return error as ExecutionClientError;
}

/** A client whose `fetch` fails as Node's does. */
function failing(code: string, count = Infinity): { client: ExecutionClient; tries: () => number } {
  let tries = 0;
  const fetch = () => {
    tries += 1;
    if (tries > count) return Promise.resolve(Response.json({ sessions: [] }));
    return Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(`${code}: it failed`), { code }) }));
  };
  return { client: new ExecutionClient({ url: "http://box:8000", fetch }), tries: () => tries };
}

/** A client whose connections lead nowhere any more, but for those after the first few. */
function silent(count: number): { client: ExecutionClient; tries: () => number } {
  let tries = 0;
  const fetch = (_url: string, { signal }: RequestInit) => {
    tries += 1;
    if (tries > count) return Promise.resolve(Response.json({ session_id: "s", status: "created", cwd: "/" }, { status: 201 }));
    return new Promise<Response>((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason instanceof Error ? signal.reason : new Error("aborted")));
    });
  };
  return { client: new ExecutionClient({ url: "http://box:8000", fetch }), tries: () => tries };
}

test("nothing at the port is a refused connection that says what to start", async () => {
  const { url } = server;
  await server.close();
  const fault = await faultOf(client.health());
  expect(fault).toMatchObject({ code: "connection_refused", statusCode: 0 });
  expect(fault.message).toContain(url);
  expect(fault.message).toContain("taskweaver server");
  expect(fault.cause).toBeInstanceOf(TypeError);
});

test.each([
  ["ENOTFOUND", "unreachable", "not known"],
  ["EHOSTUNREACH", "unreachable", "firewall"],
  ["UND_ERR_CONNECT_TIMEOUT", "unreachable", "firewall"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "unreachable", "certificate"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "unreachable", "https"],
  ["ECONNRESET", "connection_lost", "broke"],
  ["HPE_INVALID_CONSTANT", "wrong_server", "HTTP"],
])("%s is %s, in words", async (code, expected, words) => {
  const fault = await faultOf(failing(code).client.listSessions());
  expect(fault.code).toBe(expected);
  expect(fault.message).toContain(words);
  expect(fault.message).toContain("http://box:8000");
});

test("a port that fetch refuses is said to be one", async () => {
  expect(await faultOf(new ExecutionClient({ url: "http://127.0.0.1:6000" }).health())).toMatchObject({ code: "invalid_option" });
});

test("a failure without a reason, as in browsers, is unreachable", async () => {
  const inBrowser = new ExecutionClient({ url: "http://box:8000", fetch: () => Promise.reject(new TypeError("Failed to fetch")) });
  expect(await faultOf(inBrowser.health())).toMatchObject({ code: "unreachable" });
});

test("a wrong key and a missing key are told apart", async () => {
  server.on("GET", /./, (_request, response) => sendError(response, 401, "unauthorized", "An API key is needed."));
  const missing = await faultOf(client.listSessions());
  expect(missing).toMatchObject({ code: "unauthorized", statusCode: 401 });
  expect(missing.message).toContain("asks for an API key");
  const wrong = await faultOf(new ExecutionClient({ url: server.url, apiKey: "wrong" }).listSessions());
  expect(wrong.message).toContain("refuses the API key");
  expect(wrong.message).not.toContain('"wrong"');
});

test("what is wrong with a request comes field by field", async () => {
  const errors = [{ path: "/session_id", message: "must match the pattern" }];
  server.on("POST", /./, (_request, response) =>
    sendJson(response, 422, { detail: "The request does not fit the schema.", code: "invalid_request", errors }),
  );
  const fault = await faultOf(client.start("../x"));
  expect(fault).toMatchObject({ code: "invalid_request", statusCode: 422, errors });
  expect(fault.message).toContain("/session_id: must match the pattern");
});

test.each([
  ["a web page", 200, "text/html", "<html></html>"],
  ["another API", 200, "application/json", '{"ok": true}'],
  ["a list", 200, "application/json", "[]"],
  ["another API's error", 404, "application/json", '{"message": "Not Found"}'],
  ["an empty answer", 204, "text/plain", ""],
])("%s at the URL is not ours", async (_kind, status, type, body) => {
  server.on("GET", /./, (_request, response) => void response.writeHead(status, { "content-type": type }).end(body));
  const fault = await faultOf(client.health());
  expect(fault).toMatchObject({ code: "wrong_server", statusCode: status });
  expect(fault.message).toContain("not a TaskWeaver execution server");
});

test("something that does not speak HTTP is not ours", async () => {
  const stranger = createTcpServer((socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = stranger.address() as { port: number };
    expect(await faultOf(new ExecutionClient({ url: `http://127.0.0.1:${port}` }).health())).toMatchObject({ code: "wrong_server" });
  } finally {
    stranger.close();
  }
});

test("an answer of a server that speaks TLS to plain text is told from a stranger's", async () => {
  server.on("GET", /./, (_request, response) => void response.writeHead(400, { "content-type": "text/html" }).end("<html>"));
  expect((await faultOf(client.health())).message).toContain("it answered with HTTP 400 and no error of ours (does it speak https?)");
});

test("a redirect is not followed: the key would go along", async () => {
  server.on("GET", /./, (_request, response) => void response.writeHead(301, { location: "https://elsewhere.example/" }).end());
  const fault = await faultOf(client.listSessions());
  expect(fault.message).toContain("https://elsewhere.example/");
  expect(server.requests).toHaveLength(1);
});

test("a function that the server lacks is said to be that", async () => {
  const fault = await faultOf(client.listSessions());
  expect(fault).toMatchObject({ code: "not_found", statusCode: 404 });
  expect(fault.message).toContain("older");
});

test("a proxy without its server is told apart from a stranger", async () => {
  server.on("GET", /./, (_request, response) => void response.writeHead(502, { "content-type": "text/html" }).end("<h1>Bad Gateway</h1>"));
  expect(await faultOf(client.health())).toMatchObject({ code: "unreachable", statusCode: 502 });
});

test("no answer in time is a timeout", async () => {
  server.on("GET", /./, () => undefined);
  const fault = await faultOf(client.listSessions({ timeoutMs: 30 }));
  expect(fault).toMatchObject({ code: "timeout", statusCode: 0 });
  expect(fault.message).toContain("30 ms");
});

test("an answer that stops halfway is a timeout too", async () => {
  server.on("GET", /./, (_request, response) => void response.writeHead(200, { "content-type": "application/json" }).write('{"sess'));
  expect(await faultOf(client.listSessions({ timeoutMs: 50 }))).toMatchObject({ code: "timeout" });
});

test("the caller's signal aborts", async () => {
  const controller = new AbortController();
  server.on("GET", /./, () => controller.abort());
  expect(await faultOf(client.listSessions({ signal: controller.signal }))).toMatchObject({ code: "aborted" });
});

test("reading is tried again after a broken connection", async () => {
  const { client: shaky, tries } = failing("ECONNRESET", 2);
  await shaky.listSessions();
  expect(tries()).toBe(3);
});

test("what can be sent again does not wait for a machine that is switched off, and never less for one that is slow", async () => {
  vi.useFakeTimers();
  try {
    const { client: cut, tries } = silent(2);
    const session = cut.start("s");
    await vi.advanceTimersByTimeAsync(19_000);
    expect(tries()).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(tries()).toBe(2);
    await vi.advanceTimersByTimeAsync(45_000);
    expect((await session).sessionId).toBe("s");
    expect(tries()).toBe(3);
    const { client: slow, tries: slowTries } = silent(Infinity);
    const fault = faultOf(slow.start("s"));
    await vi.advanceTimersByTimeAsync(300_000);
    expect(await fault).toMatchObject({ code: "timeout", message: expect.stringContaining("300000 ms") });
    expect(slowTries()).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});

test("what may have happened, or takes long, waits for its one answer", async () => {
  vi.useFakeTimers();
  try {
    for (const call of [
      (waiting: ExecutionClient) => waiting.restart("s"),
      (waiting: ExecutionClient) => waiting.uploadFile("s", "large", "content"),
      (waiting: ExecutionClient) => waiting.loadPlugin("s", { name: "slow", code: "" }),
    ]) {
      const { client: waiting, tries } = silent(Infinity);
      const fault = faultOf(call(waiting));
      await vi.advanceTimersByTimeAsync(300_000);
      expect(await fault).toMatchObject({ code: "timeout" });
      expect(tries()).toBe(1);
    }
  } finally {
    vi.useRealTimers();
  }
});

test("what may have happened is not asked for twice", async () => {
  const { client: shaky, tries } = failing("ECONNRESET");
  await faultOf(shaky.restart("s"));
  expect(tries()).toBe(1);
});

test("what never arrived is asked for again, whatever it is", async () => {
  const { client: shaky, tries } = failing("ECONNREFUSED", 1);
  await shaky.restart("s");
  expect(tries()).toBe(2);
});

test("a server that is starting is asked again, a full one is not", async () => {
  let tries = 0;
  server.on("POST", /restart$/, (_request, response) => {
    tries += 1;
    if (tries === 1) sendError(response, 503, "starting", "The server is still starting.", { "retry-after": "0" });
    else sendJson(response, 200, {});
  });
  await client.restart("s");
  server.on("POST", /\/sessions$/, (_request, response) => sendError(response, 429, "session_limit", "Full.", { "retry-after": "7" }));
  const fault = await faultOf(client.start("s"));
  expect(fault).toMatchObject({ code: "session_limit", statusCode: 429, retryAfterMs: 7000 });
  expect(server.seen("POST", /\/sessions$/)).toHaveLength(1);
});

test.each(["localhost:8000", "ftp://x", "nonsense", "http://user:pw@host", "http://host/?a=1"])("the URL %s is refused at once", (url) => {
  expect(() => new ExecutionClient({ url })).toThrow(ExecutionClientError);
});

test("a key with a line break is refused at once", () => {
  expect(() => new ExecutionClient({ apiKey: "secret\n" })).toThrow(/line breaks/);
});
