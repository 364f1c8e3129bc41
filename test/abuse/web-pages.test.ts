/**
 * A web page in the user's own browser: it can make the browser send requests to programs on this machine, which need no key from local clients. It cannot hide its
 * `Origin`; a name of its own that it lets point here (DNS rebinding) shows in `Host`; and without CORS headers it cannot read what it gets.
 */
import { afterEach, expect, test } from "vitest";
import { request } from "../helpers/raw-http.ts";
import { sharedByAll } from "../helpers/when-done.ts";
import { API, expectUnharmed, startVictim } from "./victim.ts";

const victim = sharedByAll(() => startVictim());
afterEach(() => expectUnharmed(victim()));

const BODY = '{"session_id":"from-a-page"}';
const port = () => new URL(victim().url).port;

test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "application/json"])(
  "a form or script of another site that posts %s makes no session",
  async (type) => {
    for (const origin of ["https://evil.example", "null", `http://localhost:${Number(port()) + 1}`, "http://localhost.evil.example"]) {
      const headers = [`Host: localhost:${port()}`, `Origin: ${origin}`, `Content-Type: ${type}`];
      const answer = await request(victim().url, `POST ${API}/sessions`, headers, BODY);
      expect([origin, answer.status]).toEqual([origin, 403]);
      expect(answer.head).not.toMatch(/access-control/i);
    }
    expect(victim().store.count).toBe(1);
  },
);

test("a form that sends no Origin gets no further than its content type", async () => {
  const answer = await request(victim().url, `POST ${API}/sessions`, [`Host: localhost:${port()}`, "Content-Type: text/plain"], BODY);
  expect(answer.status).toBe(415);
});

test.each(["evil.example", "rebound.evil.example", "localhost.evil.example", "127.0.0.1.nip.io"])(
  "a name that was made to point here, %s, is seen through, read or written",
  async (name) => {
    for (const line of ["GET /api/v1/sessions", "GET /openapi.json", "DELETE /api/v1/sessions/s1", "GET /api/v1/sessions/s1/artifacts/x"]) {
      // Such a page is of the same origin as its requests: a browser sends an Origin that matches the Host, or none.
      for (const origin of [[], [`Origin: http://${name}:${port()}`]]) {
        const answer = await request(victim().url, line, [`Host: ${name}:${port()}`, ...origin]);
        expect([line, answer.status]).toEqual([line, 403]);
      }
    }
    expect(victim().store.count).toBe(1);
  },
);

test("a page learns nothing by asking what it may do", async () => {
  const headers = [
    `Host: localhost:${port()}`,
    "Origin: https://evil.example",
    "Access-Control-Request-Method: DELETE",
    "Access-Control-Request-Private-Network: true",
  ];
  const answer = await request(victim().url, `OPTIONS ${API}/sessions/s1`, headers);
  expect(answer.status).toBe(403);
  expect(answer.head).not.toMatch(/access-control/i);
});

test("what the session's code wrote is never shown as a page of this origin", async () => {
  const { call, url } = victim();
  await call("POST", "/sessions/s1/files", { filename: "page.html", content: "<script>alert(1)</script>", encoding: "text" });
  const answer = await request(url, `GET ${API}/sessions/s1/artifacts/page.html`, [`Host: localhost:${port()}`]);
  expect(answer.head).toMatch(/content-disposition: attachment/i);
  expect(answer.head).toMatch(/x-content-type-options: nosniff/i);
});
