/** A kernel of another language, installed as an ordinary kernelspec, runs through the same endpoints. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { textOf } from "../helpers/event-stream.ts";
import { testPython } from "../helpers/python.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";

const live = sharedByAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-kernels-"));
  whenDone(() => rm(folder, { recursive: true, force: true }));
  await promisify(execFile)(testPython(), ["-m", "bash_kernel.install", "--prefix", folder]);
  const before = process.env["JUPYTER_PATH"];
  process.env["JUPYTER_PATH"] = join(folder, "share/jupyter");
  whenDone(() => {
    if (before === undefined) delete process.env["JUPYTER_PATH"];
    else process.env["JUPYTER_PATH"] = before;
  });
  const server = await startLiveServer();
  return { ...server, path: await server.session({ kernel: "bash" }) };
});

describe("a session of the bash kernel", () => {
  test("says which kernel it has", async () => {
    const { info, path } = live();
    expect(await info(path)).toMatchObject({ kernel: "bash", status: "running" });
  });

  test("runs code, keeps its state, and gives text", async () => {
    const { run, path, info } = live();
    expect((await run(path, "X=41; cd /; cd - > /dev/null")).is_success).toBe(true);
    const result = await run(path, "echo $((X + 1)) ü; pwd; echo oops >&2");
    expect(result).toMatchObject({ is_success: true, output: "", variables: [], reason: "completed", state_kept: true });
    expect(result.stdout.join("").replaceAll("\r", "")).toContain(`42 ü\n${(await info(path)).cwd}\n`);
  });

  test("streams, and fails as data", async () => {
    const { stream, path } = live();
    const frames = await stream(path, "for i in 1 2 3; do echo $i; done; false");
    expect(textOf(frames).replaceAll("\r", "")).toContain("1\n2\n3\n");
    expect(frames.at(-2)).toMatchObject({ event: "result", data: { is_success: false, reason: "error", error: expect.any(String) } });
  });

  test("has session variables that harm nobody, and no plugins: 400", async () => {
    const { call, path } = live();
    expect((await call("POST", `${path}/variables`, { variables: {} })).status).toBe(200);
    const answer = await call("POST", `${path}/plugins`, { name: "p", code: "" });
    expect([answer.status, answer.json["code"]]).toEqual([400, "unsupported_by_kernel"]);
  });

  test("times out and is interrupted like any other", async () => {
    const { run, path } = live();
    const result = await run(path, "sleep 600", { timeout: 0.5 });
    expect([result.reason, result.is_success]).toEqual(["timed_out", false]);
    expect((await run(path, "echo still $X")).is_success).toBe(true);
  });

  test("is restarted and removed like any other", async () => {
    const { run, call, path } = live();
    await run(path, "X=41");
    expect((await call("POST", `${path}/restart`)).json).toMatchObject({ status: "running", kernel: "bash" });
    expect((await run(path, "echo [$X]")).stdout.join("")).toContain("[]");
    expect((await call("DELETE", path)).status).toBe(200);
  });
});

test("a kernel that is not installed is 422, with those that are", async () => {
  const { call } = live();
  const answer = await call("POST", "/sessions", { session_id: "none", kernel: "fortran" });
  expect([answer.status, answer.json["code"]]).toEqual([422, "unknown_kernel"]);
  expect(answer.json["detail"]).toMatch(/python3/);
  expect((await call("GET", "/sessions/none")).status).toBe(404);
});
