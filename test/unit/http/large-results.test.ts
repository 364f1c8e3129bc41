/** Results and streams that are no longer in memory, or never were: what clients read is the same. */
import { once } from "node:events";
import { connect } from "node:net";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { framesOf, textOf } from "../../helpers/event-stream.ts";
import { hold } from "../../helpers/fake-session.ts";
import { API, KEY, openAppWithSession, type TestApp } from "../../helpers/test-app.ts";
import { whenDone } from "../../helpers/when-done.ts";

const LIMITS = { maxOutputBytes: 10 ** 9, maxSpilledBytes: 0 };
const HEADERS = { "x-api-key": KEY };
const MIB = 2 ** 20;

describe("an execution that has left memory", () => {
  test("is read as it was, byte for byte: state, stream, list and notebook", async () => {
    const app = await openAppWithSession();
    await runVaried(app);
    const execution = app.store.get("s1").execution("x");
    const before = await allOf(app);
    execution.leaveMemory();
    expect(execution).toMatchObject({ code: undefined, result: undefined });
    expect(await allOf(app)).toEqual(before);
    expect(before.status).toContain('"output":3.0,');
  });

  test("keeps its result when its stream has expired, also where late text came meanwhile", async () => {
    const app = await openAppWithSession();
    const request = await runVaried(app);
    const execution = app.store.get("s1").execution("x");
    execution.leaveMemory();
    request.stream("stdout", "late");
    await vi.waitFor(async () => expect((await status(app)).stdout).toEqual(["a\u2028", "c", "late"]));
    execution.expireStream();
    expect((await app.call("GET", "/sessions/s1/execute/x/stream")).statusCode).toBe(404);
    expect(await status(app)).toMatchObject({
      stdout: ["a\u2028", "c", "late"],
      artifact: [{ file_content: "<i>" }, { file_content: "<b>" }],
    });
    expect((await app.call("GET", "/sessions/s1/notebook")).body).toContain("late");
  });

  test("gives its place to a new one of its id", async () => {
    const app = await openAppWithSession();
    for (const text of ["first", "second"]) {
      app.kernels.last.kernel.onExecute((request) => void request.succeed({ stdout: text }));
      await app.call("POST", "/sessions/s1/execute", { exec_id: "x", code: text });
      app.store.get("s1").execution("x").expireStream();
    }
    expect(await status(app)).toMatchObject({ stdout: ["second"] });
    const journal = await readFile(join(app.workDirectory, "sessions/s1/ces/executions.jsonl"), "utf8").catch(() => undefined);
    // A server that nobody takes sessions back from leaves no file.
    expect(journal).toBeUndefined();
    expect((await readdir(join(app.workDirectory, "sessions/s1/ces"))).filter((name) => name.startsWith("executions"))).toEqual([]);
  });
});

test("the latest results stay in memory, older ones leave it", async () => {
  const app = await openAppWithSession({ store: { output: LIMITS } });
  const text = "x".repeat(MIB - 50_000);
  app.kernels.last.kernel.onExecute((request) => void request.succeed({ stdout: text }));
  for (let count = 1; count <= 34; count += 1) await app.call("POST", "/sessions/s1/execute", { exec_id: `x${count}`, code: "" });
  const executions = app.store.get("s1").executions();
  const held = executions.map(({ result }) => result !== undefined);
  expect([held[0], held.at(-1)]).toEqual([true, false]);
  expect(executions.reduce((sum, { heldBytes }) => sum + heldBytes, 0)).toBeLessThan(65 * MIB);
  expect((await app.call("GET", "/sessions/s1/execute/x1")).json().result.stdout).toEqual([text]);
}, 60_000);

describe("a large result", () => {
  test("is whole: in the answer, in the stream, and where it is asked for again", async () => {
    const app = await openAppWithSession({ store: { output: LIMITS } });
    const chunks = Array.from({ length: 40 }, (_, index) => `${index}${'é😀\u2028\n"\\'.repeat(3_000)}`);
    app.kernels.last.kernel.onExecute((request) => {
      request.begin();
      for (const chunk of chunks) request.stream("stdout", chunk).stream("stderr", `${chunk}!`);
      request.succeed();
    });
    const answer = (await app.call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" })).json();
    expect(answer.stdout).toEqual(chunks);
    expect(answer.stderr).toEqual(chunks.map((chunk) => `${chunk}!`));
    expect(await status(app)).toEqual(answer);
    const frames = framesOf((await app.call("GET", "/sessions/s1/execute/x/stream")).body);
    expect(textOf(frames)).toBe(chunks.join(""));
    expect(frames.at(-2)?.data).toEqual(answer);
    expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1));
    const resumed = framesOf((await app.call("GET", "/sessions/s1/execute/x/stream?last_event_id=70")).body);
    expect(resumed).toEqual(frames.slice(70));
  }, 60_000);

  test("that is cut has all of its text in the file, although that had left memory", async () => {
    const app = await openAppWithSession({ store: { output: { maxOutputBytes: 3 * MIB, maxSpilledBytes: 100 * MIB } } });
    const chunks = Array.from({ length: 50 }, (_, index) => `${index}`.padEnd(100_000, "."));
    app.kernels.last.kernel.onExecute((request) => {
      request.begin();
      for (const chunk of chunks) request.stream("stdout", chunk);
      request.succeed();
    });
    const answer = (await app.call("POST", "/sessions/s1/execute", { exec_id: "x", code: "" })).json();
    expect(answer.truncated).toEqual({ stdout: { bytes_written: 5_000_000, bytes_kept: 3 * MIB, artifact: "x-stdout.txt" } });
    expect(answer.artifact).toMatchObject([{ file_name: "x-stdout.txt", preview: "all 5000000 bytes of stdout" }]);
    const cwd = join(app.workDirectory, "sessions/s1/cwd");
    expect(await readFile(join(cwd, "x-stdout.txt"), "utf8")).toBe(chunks.join(""));
    expect(answer.stdout.join("").startsWith(chunks.slice(0, 31).join(""))).toBe(true);
  });

  test("costs one that does not read it no memory, and others do not wait: in the answer and in the stream", async () => {
    const app = await openAppWithSession({ store: { output: LIMITS } });
    const held = hold(app.kernels);
    const responses: { writableLength: number }[] = [];
    const url = new URL(await app.serve());
    app.app.server.on("request", (_, response) => responses.push(response));
    const body = JSON.stringify({ exec_id: "x", code: "" });
    const stuck = connect(Number(url.port), "127.0.0.1");
    whenDone(() => stuck.destroy());
    const head = `Host: localhost\r\nX-API-Key: ${KEY}\r\nContent-Type: application/json`;
    stuck.write(`POST ${API}/sessions/s1/execute HTTP/1.1\r\n${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const request = await held.next();
    for (let count = 0; count < 24; count += 1) request.stream("stdout", "x".repeat(500_000));
    request.succeed();
    await once(stuck, "readable");
    const stream = connect(Number(url.port), "127.0.0.1");
    whenDone(() => stream.destroy());
    stream.write(`GET ${API}/sessions/s1/execute/x/stream HTTP/1.1\r\n${head}\r\n\r\n`);
    await once(stream, "readable");
    const answer = await fetch(new URL(`${API}/sessions/s1/execute/x`, url), { headers: HEADERS });
    expect(((await answer.json()) as { result: { stdout: string[] } }).result.stdout).toHaveLength(24);
    expect(responses).toHaveLength(3);
    for (const { writableLength } of responses) expect(writableLength).toBeLessThan(2 * MIB);
  }, 60_000);
});

/** Text, a display that updates itself, another one, a log, and late text's kernel request. */
async function runVaried(app: TestApp) {
  const held = hold(app.kernels);
  const answer = app.call("POST", "/sessions/s1/execute", { exec_id: "x", code: "the code" });
  const request = await held.next();
  request.stream("stdout", "a\u2028").display({ "text/html": "<u>", "text/plain": "p" }, { displayId: "d" }).stream("stderr", "b");
  request.publish("update_display_data", { data: { "text/html": "<i>" }, metadata: {}, transient: { display_id: "d" } });
  request.display({ "text/html": "<b>" }).stream("stdout", "c");
  request.log("info", "Plugin-p", "m");
  request.succeed({ output: "3.0", variables: [["a", "1"]] });
  await answer;
  return request;
}

async function allOf(app: TestApp) {
  const get = async (path: string) => (await app.call("GET", `/sessions/s1${path}`)).body;
  return {
    status: await get("/execute/x"),
    stream: await get("/execute/x/stream"),
    list: await get("/executions"),
    notebook: await get("/notebook"),
  };
}

async function status(app: TestApp) {
  return (await app.call("GET", "/sessions/s1/execute/x")).json().result;
}
