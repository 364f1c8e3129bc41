/**
 * Forged addresses: headers that say who the client is, sent by the client itself, to be taken for a program on this machine, or for another host than the one it
 * called.
 */
import { afterEach, expect, test } from "vitest";
import { KEY } from "../helpers/test-app.ts";
import { request } from "../helpers/raw-http.ts";
import { sharedByAll } from "../helpers/when-done.ts";
import { API, expectUnharmed, startVictim } from "./victim.ts";

const victim = sharedByAll(() => startVictim());
afterEach(() => expectUnharmed(victim()));

const FORGED = [
  "X-Forwarded-For: 127.0.0.1",
  "X-Forwarded-For: ::1",
  "Forwarded: for=127.0.0.1;host=localhost",
  "X-Real-IP: 127.0.0.1",
  "X-Forwarded-Host: localhost",
  "Via: 1.1 localhost",
  "x-forwarded-for:",
];

test.each(FORGED)("%s makes nobody local: from elsewhere the key is needed", async (header) => {
  const [name = "", ...value] = header.split(": ");
  const headers = { host: "localhost", [name.replace(/:$/, "").toLowerCase()]: value.join(": ") };
  for (const remoteAddress of ["192.0.2.7", "10.0.0.1", "::ffff:192.0.2.7", "2001:db8::1"]) {
    const answer = await victim().app.inject({ url: `${API}/sessions`, remoteAddress, headers });
    expect(answer.statusCode).toBe(401);
  }
});

test.each(FORGED)("%s from this machine is a proxy's request, and needs the key", async (header) => {
  expect((await request(victim().url, `GET ${API}/sessions`, ["Host: localhost", header])).status).toBe(401);
  expect((await request(victim().url, `GET ${API}/sessions`, ["Host: localhost", header, `X-API-Key: ${KEY}`])).status).toBe(200);
});

test("a forwarded host changes no URL that other readers get, unless a named proxy sent it", async () => {
  const { call, kernels } = victim();
  kernels.launches[0]!.kernel.onExecute((execution) => void execution.begin().display({ "text/html": "x" }).reply().idle());
  const headers = { "x-api-key": KEY, host: "localhost:8000", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" };
  const answer = await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" }, { headers });
  kernels.launches[0]!.kernel.onExecute((execution) => void execution.succeed());
  expect(answer.json().artifact[0].download_url).toMatch(/^http:\/\/localhost:8000\//);
});

test.each(['evil.example"></script><script>', "evil.example/..", "evil.example\\", "user:password@localhost", "a".repeat(5000)])(
  "a Host of %j with the key is text in a URL, and nothing more",
  async (host) => {
    const answer = await request(victim().url, `GET ${API}/sessions/s1`, [`Host: ${host}`, `X-API-Key: ${KEY}`]);
    expect([200, 403, 422]).toContain(answer.status);
  },
);

test.each([
  ["http://evil.example", "localhost", 403],
  ["http://localhost", "evil.example", 403],
  ["http://localhost:80", "LOCALHOST", 200],
])("a whole URL in the first line, of %s, with the Host %s is answered with %i", async (origin, host, status) => {
  expect((await request(victim().url, `GET ${origin}${API}/sessions`, [`Host: ${host}`])).status).toBe(status);
});

test("a key is compared whole: neither a prefix nor an encoding of it opens", async () => {
  const tries = [
    "",
    KEY.slice(0, -1),
    `${KEY} x`,
    KEY.toUpperCase(),
    `%${KEY}`,
    Buffer.from(KEY).toString("base64"),
    "null",
    "undefined",
    "*",
    "true",
  ];
  for (const key of tries) {
    const answer = await victim().app.inject({ url: `${API}/sessions`, remoteAddress: "192.0.2.7", headers: { "x-api-key": key } });
    expect([key, answer.statusCode]).toEqual([key, 401]);
  }
});
