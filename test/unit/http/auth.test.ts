/** The doors: keys, local clients, hosts, origins. What a request needs depends on nothing but these. */
import type { InjectOptions } from "fastify";
import { describe, expect, test } from "vitest";
import { API, KEY, openApp } from "../../helpers/test-app.ts";
import { sharedByAll } from "../../helpers/when-done.ts";

const withKey = sharedByAll(() => openApp());
const SESSIONS = `${API}/sessions`;
const LOCAL = { host: "localhost:8000" };

describe("a key", () => {
  test.each([
    { "x-api-key": KEY },
    { "X-API-KEY": KEY },
    { authorization: `Bearer ${KEY}` },
    { authorization: `bearer  ${KEY}` },
    { authorization: `token ${KEY}` },
    { "x-api-key": "", authorization: `Bearer ${KEY}` },
    { "x-api-key": KEY, authorization: "Basic for-a-proxy" },
  ])("is taken as %j", async (headers) => {
    expect(await status({ headers })).toBe(200);
  });

  test.each([
    { "x-api-key": "wrong" },
    { "x-api-key": `${KEY} ` + "x" },
    { "x-api-key": KEY.slice(1) },
    { authorization: "Bearer wrong" },
    { authorization: "token wrong" },
    { "x-api-key": "wrong", authorization: `Bearer ${KEY}` },
    { "x-api-key": "k".repeat(10_000) },
  ])("that is wrong is 401, even from a local client: %j", async (headers) => {
    const answer = await inject({ headers: { ...LOCAL, ...headers } });
    expect([answer.statusCode, answer.json()]).toEqual([401, { detail: "The API key is wrong.", code: "unauthorized" }]);
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
  });

  test.each([{}, { "x-api-key": "" }, { authorization: `Basic ${KEY}` }, { authorization: KEY }, { authorization: "Bearer" }])(
    "is needed from elsewhere: %j",
    async (headers) => {
      const answer = await inject({ headers, remoteAddress: "192.0.2.7" });
      expect([answer.statusCode, answer.json().code]).toEqual([401, "unauthorized"]);
    },
  );

  test("in the query counts on WebSockets alone", async () => {
    const url = `${SESSIONS}?token=${KEY}`;
    expect(await status({ url, remoteAddress: "192.0.2.7" })).toBe(401);
    const upgrade = { connection: "upgrade", upgrade: "websocket" };
    expect(await status({ url, headers: upgrade, remoteAddress: "192.0.2.7" })).toBe(200);
    expect(await status({ url: `${SESSIONS}?token=wrong`, headers: upgrade })).toBe(401);
    expect(await status({ url: `${SESSIONS}?token=a&token=${KEY}`, headers: upgrade, remoteAddress: "192.0.2.7" })).toBe(401);
  });

  test("is asked for before anything else is told: unknown paths and methods, bad bodies", async () => {
    for (const [method, url] of [
      ["GET", `${API}/nothing`],
      ["GET", "/openapi.json"],
      ["PUT", SESSIONS],
      ["POST", SESSIONS],
      ["GET", `${SESSIONS}/unknown`],
      ["DELETE", `${SESSIONS}/..%2f`],
    ] as const) {
      expect(await status({ method, url, remoteAddress: "192.0.2.7", ...(method === "POST" ? { payload: "{" } : {}) })).toBe(401);
    }
  });

  test("is never read by /health and /ready", async () => {
    for (const url of [`${API}/health`, `${API}/ready`]) {
      expect(await status({ url, headers: { "x-api-key": "wrong" }, remoteAddress: "192.0.2.7" })).toBe(200);
      expect(await status({ url, headers: { host: "evil.example" } })).toBe(200);
    }
  });

  test("of a server that has none is ignored: the local exemption alone decides", async () => {
    const { app } = await openApp({ settings: { apiKey: null } });
    const answer = await app.inject({ url: SESSIONS, headers: { "x-api-key": "your-key" }, remoteAddress: "192.0.2.7" });
    expect(answer.statusCode).toBe(401);
  });
});

describe("over a Unix socket", () => {
  test("the file's mode says who may connect, but a proxy still needs the key", async () => {
    const { app } = await openApp({ settings: { onUnixSocket: true } });
    expect((await app.inject({ url: SESSIONS, headers: { host: "anything" } })).statusCode).toBe(200);
    expect((await app.inject({ url: SESSIONS, headers: { "x-forwarded-for": "1.2.3.4" } })).statusCode).toBe(401);
    expect((await app.inject({ url: SESSIONS, headers: { "x-api-key": "wrong" } })).statusCode).toBe(401);
  });
});

describe("an origin", () => {
  test.each([
    "http://evil.example",
    "null",
    "http://localhost:9999",
    "https://localhost:8000",
    "http://127.0.0.1:8000",
    "file://",
    "x",
    "",
  ])("%j is 403, with a key and on /health too", async (origin) => {
    for (const request of [
      { headers: { ...LOCAL, origin, "x-api-key": KEY } },
      { headers: { ...LOCAL, origin }, url: `${API}/health` },
      { headers: { ...LOCAL, origin, "x-api-key": KEY }, url: `${API}/nothing` },
      { headers: { ...LOCAL, origin, "access-control-request-method": "POST" }, method: "OPTIONS" as const },
    ]) {
      const answer = await inject(request);
      expect([answer.statusCode, answer.json().code]).toEqual([403, "origin_refused"]);
      expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });

  test.each([
    ["http://localhost:8000", "localhost:8000"],
    ["http://LOCALHOST:8000", "localhost:8000"],
    ["http://localhost", "localhost:80"],
    ["http://[::1]:8000", "[::1]:8000"],
    ["http://executor.example", "executor.example"],
  ])("%s is the server's own where the client calls it %s", async (origin, host) => {
    expect(await status({ headers: { host, origin, "x-api-key": KEY } })).toBe(200);
  });

  test("that cors_origins names may call, and is told so; others still may not", async () => {
    const { app } = await openApp({ settings: { corsOrigins: ["https://lab.example"] } });
    const headers = { ...LOCAL, origin: "https://lab.example", "x-api-key": KEY };
    const answer = await app.inject({ url: SESSIONS, headers });
    expect([answer.statusCode, answer.headers["access-control-allow-origin"]]).toEqual([200, "https://lab.example"]);
    expect((await app.inject({ url: SESSIONS, headers: { ...headers, "x-api-key": "wrong" } })).statusCode).toBe(401);
    const preflight = {
      ...LOCAL,
      origin: headers.origin,
      "access-control-request-method": "DELETE",
      "access-control-request-headers": "x-api-key",
    };
    const allowed = await app.inject({ method: "OPTIONS", url: `${SESSIONS}/s1`, headers: preflight });
    expect([allowed.statusCode, allowed.headers["access-control-allow-methods"]]).toEqual([204, expect.stringContaining("DELETE")]);
    for (const origin of ["https://lab.example.evil.example", "http://lab.example", "null"])
      expect((await app.inject({ url: SESSIONS, headers: { ...headers, origin } })).statusCode).toBe(403);
  });
});

describe("a proxy", () => {
  test("that is not named is not believed: neither its host nor its scheme", async () => {
    const headers = { host: "inner:8000", "x-forwarded-host": "outer.example", "x-forwarded-proto": "https", "x-api-key": KEY };
    expect(await status({ headers: { ...headers, origin: "https://outer.example" } })).toBe(403);
    expect(await status({ headers: { ...headers, origin: "http://inner:8000" } })).toBe(200);
  });

  test("that is named says what the client sees, but never who is local", async () => {
    const { app } = await openApp({ settings: { trustedProxies: ["127.0.0.1", "10.0.0.0/8"] } });
    const headers = {
      host: "inner:8000",
      "x-forwarded-host": "outer.example",
      "x-forwarded-proto": "https",
      "x-forwarded-for": "127.0.0.1",
    };
    const origin = "https://outer.example";
    for (const remoteAddress of ["127.0.0.1", "10.1.2.3"]) {
      expect((await app.inject({ url: SESSIONS, remoteAddress, headers: { ...headers, origin, "x-api-key": KEY } })).statusCode).toBe(200);
      expect((await app.inject({ url: SESSIONS, remoteAddress, headers: { ...headers, host: "localhost" } })).statusCode).toBe(401);
    }
    const foreign = { url: SESSIONS, remoteAddress: "192.0.2.7", headers: { ...headers, origin, "x-api-key": KEY } };
    expect((await app.inject(foreign)).statusCode).toBe(403);
  });
});

function inject(request: InjectOptions) {
  return withKey().app.inject({ url: SESSIONS, ...request });
}

async function status(request: InjectOptions): Promise<number> {
  return (await inject(request)).statusCode;
}
