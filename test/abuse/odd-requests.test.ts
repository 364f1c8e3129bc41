/**
 * Odd requests: what is no HTTP, or HTTP of a kind that nobody sends by accident. An attacker hopes that two readers of one connection disagree on where a
 * request ends (request smuggling), that a header's name or value breaks out of its line, or that the server falls over.
 */
import { afterEach, describe, expect, test } from "vitest";
import { parseAnswer, request, sendRaw } from "../helpers/raw-http.ts";
import { sharedByAll } from "../helpers/when-done.ts";
import { API, expectUnharmed, LET_IN, startVictim } from "./victim.ts";

const victim = sharedByAll(() => startVictim());
afterEach(() => expectUnharmed(victim()));

const HEAD = `POST ${API}/sessions HTTP/1.1\r\n${LET_IN.join("\r\n")}\r\nContent-Type: application/json\r\n`;
const BODY = '{"session_id":"smuggled"}';

describe("is refused, and the connection ended", () => {
  test.each([
    ["what is no HTTP at all", "\u0000\u0001\u0002 hello\r\n\r\n"],
    ["a TLS handshake", Buffer.from("16030100a5010000a10303", "hex")],
    ["HTTP/2 without having been asked", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["an unknown method", `BREW ${API}/health HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ["two lengths", `${HEAD}Content-Length: ${BODY.length}\r\nContent-Length: 0\r\n\r\n${BODY}`],
    ["a length and chunks", `${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["a length that is none", `${HEAD}Content-Length: -5\r\n\r\n${BODY}`],
    ["a length with a sign", `${HEAD}Content-Length: +25\r\n\r\n${BODY}`],
    ["chunks of a wrong size", `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`],
    ["an unknown transfer encoding", `${HEAD}Transfer-Encoding: identity, chunked, x\r\n\r\n${BODY}`],
    ["a header without a colon", `GET ${API}/health HTTP/1.1\r\nHost localhost\r\n\r\n`],
    ["a space before the colon", `GET ${API}/health HTTP/1.1\r\nHost : localhost\r\n\r\n`],
    ["a NUL in a header", `GET ${API}/health HTTP/1.1\r\nHost: localhost\r\nX: a\u0000b\r\n\r\n`],
    ["headers without end", `GET ${API}/health HTTP/1.1\r\nHost: localhost\r\n${"X-Filler: yes\r\n".repeat(3000)}\r\n`],
    ["a URL of 20,000 characters", `GET ${API}/${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ])("%s", async (_, bytes) => {
    const answer = parseAnswer(await sendRaw(victim().url, bytes));
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.body)).toMatchObject({
      detail: expect.stringMatching(/[.]$/),
      code: "invalid_request",
      errors: [{ path: "/" }],
    });
    expect(victim().store.count).toBe(1);
  });
});

describe("does no harm", () => {
  test("a second request hidden in the body of the first", async () => {
    const hidden = `DELETE ${API}/sessions/s1 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: wrong\r\n\r\n`;
    const text = await sendRaw(
      victim().url,
      `GET ${API}/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${hidden.length}\r\nConnection: close\r\n\r\n${hidden}`,
    );
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(victim().store.count).toBe(1);
  });

  test.each(["h2c", "WebSocket2, h2c"])(
    "an offer to go on in %s, which Java's clients make: the request is answered as any other",
    async (protocol) => {
      const offer = ["Connection: close, Upgrade, HTTP2-Settings", `Upgrade: ${protocol}`, "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"];
      const listed = await request(victim().url, `GET ${API}/sessions`, [...LET_IN, ...offer]);
      expect([listed.status, JSON.parse(listed.body)]).toMatchObject([200, { sessions: [{ session_id: "s1" }] }]);
      const session = ["Content-Type: application/json", ...LET_IN, ...offer];
      const again = await request(victim().url, `POST ${API}/sessions`, session, '{"session_id":"s1"}');
      expect([again.status, JSON.parse(again.body)]).toMatchObject([409, { code: "session_exists" }]);
    },
  );

  test("an absolute URL of another host", async () => {
    const answer = await request(victim().url, `GET http://evil.example${API}/sessions`, ["Host: evil.example"]);
    expect([401, 403, 404]).toContain(answer.status);
  });

  test.each(["", "Host:", "Host: localhost\r\nHost: evil.example", "Host: ,", "Host: localhost, evil.example"])(
    "no host, or several: %j",
    async (headers) => {
      const text = await sendRaw(
        victim().url,
        `GET ${API}/sessions HTTP/1.1\r\n${headers}${headers === "" ? "" : "\r\n"}Connection: close\r\n\r\n`,
      );
      expect(text).not.toContain('"sessions":[');
    },
  );

  test("HTTP/1.0, and requests one after the other on one connection", async () => {
    expect(parseAnswer((await sendRaw(victim().url, `GET ${API}/health HTTP/1.0\r\n\r\n`)).replace("HTTP/1.0", "HTTP/1.1")).status).toBe(
      200,
    );
    const one = `GET ${API}/health HTTP/1.1\r\nHost: localhost\r\n`;
    const text = await sendRaw(victim().url, `${one}\r\n${one}\r\n${one}Connection: close\r\n\r\n`);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });

  test.each(["X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE", "X-Original-URL: /api/v1/sessions", "X-Rewrite-URL: /x"])(
    "%s: nobody listens to such headers",
    async (header) => {
      const answer = await request(victim().url, `GET ${API}/sessions/s1`, [...LET_IN, header]);
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([200, { session_id: "s1" }]);
    },
  );

  test("ranges that are many, huge, or none", async () => {
    const { call, url } = victim();
    await call("POST", "/sessions/s1/files", { filename: "f", content: "AAAA" });
    for (const range of ["0-0,0-0,0-0", `${"0-0,".repeat(2000)}0-0`, "9999999999999999999-", "a-b", "-0", ""]) {
      const answer = await request(url, `GET ${API}/sessions/s1/artifacts/f`, [...LET_IN, `Range: bytes=${range}`]);
      expect([200, 206, 416]).toContain(answer.status);
    }
  });

  test("a query of a thousand parameters, and one that is no text", async () => {
    const { url } = victim();
    const many = Array.from({ length: 1000 }, (_, index) => `a${index}=1`).join("&");
    for (const query of [many, "%ff=%fe", "__proto__[x]=1&constructor.prototype.x=1", "&&&==&"]) {
      expect((await request(url, `GET ${API}/sessions?${query}`, LET_IN)).status).toBe(200);
    }
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  test("Expect: 100-continue and what else a client may expect", async () => {
    const { url } = victim();
    const head = `${HEAD}Content-Length: 2\r\nConnection: close\r\n`;
    expect(await sendRaw(url, `${head}Expect: 100-continue\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 422 /);
    expect(parseAnswer(await sendRaw(url, `${head}Expect: a-miracle\r\n\r\n{}`)).status).toBeGreaterThanOrEqual(400);
  });
});
