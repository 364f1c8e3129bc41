/** Event streams: frames that every client can split, resumed, shared, at each reader's pace. */
import { once } from "node:events";
import { get } from "node:http";
import { connect } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { allFrames, framesOf, readFrames } from "../../helpers/event-stream.ts";
import { hold, resultOf } from "../../helpers/fake-session.ts";
import { API, KEY, openAppWithSession, type TestApp } from "../../helpers/test-app.ts";
import { whenDone } from "../../helpers/when-done.ts";

/** As Python's str.splitlines has them, which existing clients use. */
const LINE_ENDS = ["\r", "\v", "\f", "\u001c", "\u001d", "\u001e", "\u0085", "\u2028", "\u2029"];
const STREAM = "/sessions/s1/execute/x/stream";
const HEADERS = { "x-api-key": KEY };

describe("a stream", () => {
  test("has a frame for each event: id, event, data, blank line", async () => {
    const test = await openAppWithSession();
    test.kernels.last.kernel.onExecute((request) => void request.begin().stream("stdout", "a\nb").stream("stderr", "e").reply().idle());
    const result = (await test.call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" })).body;
    const answer = await test.call("GET", STREAM);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({ "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache, no-transform" });
    expect(answer.body).toBe(
      'id: 1\nevent: output\ndata: {"type":"stdout","text":"a\\nb"}\n\n' +
        'id: 2\nevent: output\ndata: {"type":"stderr","text":"e"}\n\n' +
        `id: 3\nevent: result\ndata: ${result}\n\n` +
        "id: 4\nevent: done\ndata: {}\n\n",
    );
  });

  test("keeps every kind of line end out of its data lines", async () => {
    const test = await openAppWithSession();
    const text = "\u0085 \u2028 \u2029 \n \r \v \f \u001c \u001d \u001e";
    test.kernels.last.kernel.onExecute((request) => void request.succeed({ stdout: text, output: JSON.stringify(text) }));
    await test.call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const { body } = await test.call("GET", STREAM);
    const split = LINE_ENDS.reduce((lines, end) => lines.replaceAll(end, "\n"), body).split("\n");
    expect(split.filter((line) => line !== "").every((line) => /^(id|event|data): /.test(line))).toBe(true);
    const [output, result] = framesOf(body);
    expect([output?.data["text"], result?.data["output"]]).toEqual([text, text]);
  });

  test("can be read while it is written, and ends with the execution", async () => {
    const test = await openAppWithSession();
    const { frames, request } = await running(test);
    request.stream("stdout", "one");
    expect((await frames.next()).value).toEqual({ id: 1, event: "output", data: { type: "stdout", text: "one" } });
    request.display({ "text/html": "<b>" });
    expect((await frames.next()).value).toMatchObject({ id: 2, event: "artifact", data: { type: "html", file_content: "<b>" } });
    request.succeed();
    expect((await frames.next()).value).toMatchObject({ id: 3, event: "result", data: { reason: "completed" } });
    expect((await frames.next()).value).toEqual({ id: 4, event: "done", data: {} });
    expect((await frames.next()).done).toBe(true);
  });

  test("resumes after the event that the header or the query names; the header knows better", async () => {
    const { call, kernels } = await openAppWithSession();
    kernels.last.kernel.onExecute((request) => {
      request.begin();
      for (const text of ["1", "2", "3"]) request.stream("stdout", text);
      request.reply().idle();
    });
    await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const ids = async (path: string, headers = {}) =>
      framesOf((await call("GET", path, undefined, { headers: { ...HEADERS, ...headers } })).body).map((frame) => frame.id);
    expect(await ids(STREAM)).toEqual([1, 2, 3, 4, 5]);
    expect(await ids(STREAM, { "last-event-id": "3" })).toEqual([4, 5]);
    expect(await ids(`${STREAM}?last_event_id=4`)).toEqual([5]);
    expect(await ids(`${STREAM}?last_event_id=1`, { "last-event-id": "4" })).toEqual([5]);
    expect(await ids(STREAM, { "last-event-id": "5" })).toEqual([]);
    for (const unknown of ["0", "6", "999999999999999", "abc", "-1", "1e3", ""])
      expect(await ids(STREAM, { "last-event-id": unknown })).toHaveLength(5);
    expect((await call("GET", `${STREAM}?last_event_id=abc`)).statusCode).toBe(422);
  });

  test("has many readers, who come and go as they like", async () => {
    const test = await openAppWithSession();
    const { frames, request, url } = await running(test);
    request.stream("stdout", "early");
    await frames.next();
    const left = new AbortController();
    await (await fetch(url, { headers: HEADERS, signal: left.signal })).body!.getReader().read();
    const others = Array.from({ length: 20 }, async () => allFrames(await fetch(url, { headers: HEADERS })));
    left.abort();
    request.succeed({ stdout: "late" });
    const seen = await Promise.all(others);
    for (const one of seen) expect(one).toEqual(seen[0]);
    expect(seen[0]?.map((frame) => frame.event)).toEqual(["output", "output", "result", "done"]);
  });

  test("says that it lives while nothing happens", async () => {
    const test = await openAppWithSession({ settings: { heartbeatMs: 5 } });
    const { request, url } = await running(test);
    const reader = (await fetch(url, { headers: HEADERS })).body!.getReader();
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toMatch(/^(: keep-alive\n\n)+$/);
    request.succeed();
    await reader.cancel();
  });

  test("that updates a display shows later readers its last state alone", async () => {
    const { call, kernels } = await openAppWithSession();
    kernels.last.kernel.onExecute((request) => {
      request.begin();
      for (const progress of ["10%", "50%", "100%"]) {
        const transient = { display_id: "bar" };
        request.publish(progress === "10%" ? "display_data" : "update_display_data", {
          data: { "text/plain": progress },
          metadata: {},
          transient,
        });
      }
      request.reply().idle();
    });
    await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const frames = framesOf((await call("GET", STREAM)).body);
    expect(frames.map((frame) => [frame.id, frame.event, frame.data["file_content"]])).toEqual([
      [3, "artifact", "100%"],
      [4, "result", undefined],
      [5, "done", undefined],
    ]);
    expect(frames[0]?.data["display_id"]).toBe("bar");
  });

  test("whose session is deleted ends with the result and done", async () => {
    const test = await openAppWithSession();
    const { frames } = await running(test);
    await test.call("DELETE", "/sessions/s1");
    expect([(await frames.next()).value, (await frames.next()).value]).toMatchObject([
      { event: "result", data: { reason: "interrupted" } },
      { event: "done" },
    ]);
  });

  test("gives artifacts the URL of the host that this reader called", async () => {
    const { call, kernels } = await openAppWithSession({ settings: { trustedProxies: ["127.0.0.1"] } });
    kernels.last.kernel.onExecute((request) => void request.begin().display({ "text/html": "<b>" }).reply().idle());
    const hosts = async (headers: Record<string, string>) => {
      const options = { headers: { ...HEADERS, ...headers } };
      const frames = framesOf((await call("GET", STREAM, undefined, options)).body);
      return [frames[0]?.data["download_url"], (frames[1]?.data["artifact"] as { download_url: string }[] | undefined)?.[0]?.download_url];
    };
    await call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" });
    const path = "/api/v1/sessions/s1/artifacts/x-display-1_image.html";
    expect(await hosts({ host: "a.example:81" })).toEqual(Array(2).fill(`http://a.example:81${path}`));
    expect(await hosts({ "x-forwarded-host": "b.example", "x-forwarded-proto": "https" })).toEqual(
      Array(2).fill(`https://b.example${path}`),
    );
  });
});

describe("a reader that does not read", () => {
  test("costs no memory and slows nobody: the rest of the log waits where it is", async () => {
    const test = await openAppWithSession({ store: { output: { maxOutputBytes: 10 ** 9, maxSpilledBytes: 0 } } });
    const { request, url } = await running(test);
    const { port } = new URL(url);
    const stuck = connect(Number(port), "127.0.0.1");
    whenDone(() => stuck.destroy());
    const responses: { writableLength: number }[] = [];
    test.app.server.on("request", (_, response) => responses.push(response));
    stuck.write(`GET ${API}${STREAM} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${KEY}\r\n\r\n`);
    await once(stuck, "readable");
    const block = "x".repeat(500_000);
    for (let count = 0; count < 16; count += 1) request.stream("stdout", block);
    request.succeed();
    await test.store.get("s1").execution("x").done;
    expect(responses.length).toBe(1);
    await vi.waitFor(() => expect(responses[0]?.writableLength).toBeGreaterThan(0), 10_000);
    expect(responses[0]?.writableLength).toBeLessThan(1_500_000);
    const quick = await allFrames(await fetch(url, { headers: HEADERS }));
    expect(quick).toHaveLength(18);
  });

  test("and leaves leaves the execution alone", async () => {
    const test = await openAppWithSession();
    const { request, url } = await running(test);
    await new Promise<void>((resolve) => {
      const reading = get(url, { headers: HEADERS }, (response) => {
        response.on("error", () => {}).once("close", resolve);
        response.destroy();
      });
      reading.on("error", () => {});
    });
    request.succeed({ stdout: "done" });
    expect((await resultOf(test.store.get("s1").execution("x"))).reason).toBe("completed");
  });
});

/** Streams an execution that the test drives. */
async function running(test: TestApp) {
  const held = hold(test.kernels);
  const base = await test.serve();
  const started = await test.call("POST", "/sessions/s1/execute", { exec_id: "x", code: "", stream: true });
  const url = `${base}${started.json().stream_url}`;
  const left = new AbortController();
  whenDone(() => left.abort());
  const response = await fetch(url, { headers: HEADERS, signal: left.signal });
  return { url, request: await held.next(), frames: readFrames(response) };
}
