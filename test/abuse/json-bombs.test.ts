/**
 * JSON bombs: a small text that becomes gigabytes of objects, or a depth that overflows the stack of who walks through it; and text that only just is no JSON,
 * to find a reader that goes on regardless.
 */
import { afterEach, expect, test } from "vitest";
import { sharedByAll } from "../helpers/when-done.ts";
import { API, expectUnharmed, startVictim } from "./victim.ts";
import { KEY } from "../helpers/test-app.ts";

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const victim = sharedByAll(() => startVictim({ settings: { maxBodyBytes: MAX_BODY_BYTES } }));
afterEach(() => expectUnharmed(victim()));

test.each([
  ["64 million opened brackets", Buffer.alloc(MAX_BODY_BYTES - 1, "[")],
  ["32 million pairs of brackets", Buffer.from("[".repeat(32_000_000) + "]".repeat(32_000_000))],
  ["12 million objects in objects", Buffer.from('{"":'.repeat(12_000_000))],
  ["20 million empty objects", Buffer.from(`[${"{},".repeat(20_000_000)}{}]`)],
  ["30 million numbers", Buffer.from(`{"a":[${"1,".repeat(30_000_000)}1]}`)],
  ["10 million fields", Buffer.from(`{${'"":1,'.repeat(10_000_000)}"":1}`)],
  ["a deep object in a field that takes any", Buffer.from(`{"name":"p","code":"","config":${'{"a":'.repeat(5000)}1${"}".repeat(5000)}}`)],
  ["an endless string", Buffer.from(`{"session_id":"${"x".repeat(60_000_000)}`)],
  ["a string of escaped quotes", Buffer.from(`{"session_id":"${'\\"'.repeat(30_000_000)}`)],
  ["an endless number", Buffer.from(`{"idle_timeout":${"9".repeat(10_000_000)}`)],
])("%s are 422, quickly and in little memory", async (_, body) => {
  const before = process.memoryUsage().rss;
  const path = body.subarray(0, 8).toString() === '{"name":' ? "/sessions/s1/plugins" : "/sessions";
  const began = performance.now();
  const answer = await post(path, body);
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([422, "invalid_json"]);
  expect(performance.now() - began).toBeLessThan(20_000);
  expect(process.memoryUsage().rss - before).toBeLessThan(700 * 1024 * 1024);
});

test("while one is read, others are answered", async () => {
  const bombs = Array.from({ length: 3 }, () => post("/sessions", Buffer.alloc(MAX_BODY_BYTES - 1, "[")));
  for (let count = 0; count < 10; count += 1) expect((await fetch(`${victim().url}${API}/health`)).status).toBe(200);
  for (const bomb of bombs) expect((await bomb).status).toBe(422);
});

function post(path: string, body: Buffer): Promise<Response> {
  const headers = { "Content-Type": "application/json", "X-API-Key": KEY };
  return fetch(`${victim().url}${API}${path}`, { method: "POST", headers, body: new Uint8Array(body) });
}
