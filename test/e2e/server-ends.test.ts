/** Executions that end before their time, on real kernels: interrupted, timed out, with their kernel, with their session. */
import { readFile } from "node:fs/promises";
import { describe, expect, test, vi } from "vitest";
import { allFrames } from "../helpers/event-stream.ts";
import { startLiveServer, type LiveServer } from "../helpers/server.ts";
import { sharedByAll } from "../helpers/when-done.ts";

const live = sharedByAll(() => startLiveServer({ interruptGraceMs: 20_000 }));
const ENDLESS = "print('begun', flush=True)\nimport time\nwhile True: time.sleep(0.01)";
const DEAF = "print('begun', flush=True)\nimport time\nwhile True:\n    try: time.sleep(10)\n    except BaseException: pass";

describe("an interrupt", () => {
  test("ends the code with KeyboardInterrupt, and the state is kept", async () => {
    const { session, run, call } = live();
    const path = await session();
    await run(path, "kept = 1");
    const running = run(path, ENDLESS, { exec_id: "x" });
    await begun(live(), path, "x");
    expect((await call("POST", `${path}/execute/x/interrupt`)).status).toBe(200);
    expect(await running).toMatchObject({
      reason: "interrupted",
      is_success: false,
      state_kept: true,
      error: expect.stringContaining("KeyboardInterrupt"),
    });
    expect((await run(path, "kept")).output).toBe(1);
  });

  test("at the very moment of the start is not lost either", async () => {
    const { session, run, call } = live();
    const path = await session();
    for (let count = 0; count < 10; count += 1) {
      const running = run(path, ENDLESS, { exec_id: `x${count}` });
      await vi.waitFor(async () => expect((await call("POST", `${path}/execute/x${count}/interrupt`)).status).toBe(200), {
        interval: 1,
        timeout: 5000,
      });
      const result = await running;
      expect(["interrupted", "cancelled"]).toContain(result.reason);
      expect(result.state_kept).toBe(true);
    }
  });

  test("reaches child processes, and code that is waiting for one", async () => {
    const { session, run, call } = live();
    const path = await session();
    const running = run(path, "import subprocess\nprint('begun', flush=True)\nsubprocess.run(['sleep', '600'])", { exec_id: "x" });
    await begun(live(), path, "x");
    await call("POST", `${path}/execute/x/interrupt`);
    expect((await running).reason).toBe("interrupted");
    expect(
      (await run(path, "import subprocess; subprocess.run('pgrep -P $PPID -x sleep', shell=True, capture_output=True).stdout")).output,
    ).toBe("b''");
  });

  test("of one that waits never starts it", async () => {
    const { session, run, call } = live();
    const path = await session();
    const first = run(path, ENDLESS, { exec_id: "a" });
    await begun(live(), path, "a");
    const second = run(path, "ran = True", { exec_id: "b" });
    await vi.waitFor(async () => expect((await call("GET", `${path}/execute/b`)).json).toMatchObject({ state: "queued", position: 1 }));
    expect((await call("POST", `${path}/execute/b/interrupt`)).json).toMatchObject({ state: "done" });
    expect(await second).toMatchObject({ reason: "cancelled", started_at: null });
    await call("POST", `${path}/execute/a/interrupt`);
    await first;
    expect((await run(path, "'ran' in globals()")).output).toBe(false);
  });
});

describe("a timeout", () => {
  test("interrupts and says so; what was written until then is there", async () => {
    const { session, run } = live();
    const path = await session();
    const result = await run(path, ENDLESS, { timeout: 0.5 });
    expect(result).toMatchObject({ reason: "timed_out", is_success: false, state_kept: true, stdout: ["begun\n"] });
    expect(result.error).toMatch(/^The execution timed out after 0\.5 s/);
  });

  test("that the code does not heed kills the kernel; plugins and session variables are there again, variables are not", async () => {
    const { session, run, call, info } = await startLiveServer({ interruptGraceMs: 100 });
    const path = await session();
    await call("POST", `${path}/plugins`, {
      name: "double",
      code: "from taskweaver.plugin import register_plugin\n@register_plugin\ndef double(x): return 2 * x",
    });
    await call("POST", `${path}/variables`, { variables: { v: "1" } });
    await run(path, "lost = 1");
    const result = await run(path, DEAF, { timeout: 0.5 });
    expect(result).toMatchObject({
      reason: "timed_out",
      state_kept: false,
      stdout: ["begun\n"],
      error: expect.stringContaining("its kernel was killed"),
    });
    expect(await run(path, "[double(21), 'lost' in globals()]")).toMatchObject({ output: [42, false], state_kept: true });
    expect(await info(path)).toMatchObject({ status: "running", loaded_plugins: ["double"] });
  });
});

describe("a kernel that dies", () => {
  test.each([
    ["import os; os._exit(7)", "exit code 7"],
    ["import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"],
    ["import ctypes; ctypes.string_at(0)", "SIGSEGV"],
    ["import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"],
  ])("by %s is told with %s, and the session goes on", async (code, words) => {
    const { session, run } = live();
    const path = await session();
    // What a process has not yet sent when it dies is lost with it: this one gets the time to send.
    const result = await run(path, `import time\nprint('last words', flush=True)\ntime.sleep(0.3)\n${code}`);
    expect(result).toMatchObject({ reason: "kernel_died", is_success: false, state_kept: false, stdout: ["last words\n"] });
    expect(result.error).toContain(words);
    expect(await run(path, "1 + 1")).toMatchObject({ output: 2, state_kept: true });
  });

  test("between executions is told by the next one", async () => {
    const { session, run, info } = live();
    const path = await session();
    await run(path, "x = 1; import os, threading; threading.Timer(0.05, os._exit, [1]).start(); os.getpid()");
    await vi.waitFor(async () => expect((await run(path, "'x' in globals()")).output).toBe(false), 10_000);
    expect((await info(path)).status).toBe("running");
  });
});

describe("DELETE", () => {
  test("ends a running execution for who waits and for who reads, and its kernel with all that it started", async () => {
    const { session, run, call, url } = live();
    const path = await session();
    const { output: pids } = await run(path, "import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n[os.getpid(), child.pid]");
    const waiting = run(path, ENDLESS, { exec_id: "x" });
    await begun(live(), path, "x");
    const reading = fetch(`${url}/api/v1${path}/execute/x/stream`).then(allFrames);
    const queued = run(path, "1", { exec_id: "y" });
    await vi.waitFor(async () => expect((await call("GET", `${path}/execute/y`)).json["state"]).toBe("queued"));
    expect((await call("DELETE", path)).status).toBe(200);
    expect(await waiting).toMatchObject({ reason: "interrupted", state_kept: false });
    expect(await queued).toMatchObject({ reason: "cancelled" });
    expect((await reading).slice(-2)).toMatchObject([{ event: "result", data: { reason: "interrupted" } }, { event: "done" }]);
    for (const pid of pids as number[]) await vi.waitFor(async () => expect(await isGone(pid)).toBe(true), 10_000);
    expect((await call("GET", path)).status).toBe(404);
  });
});

test("a restart gives a fresh kernel with plugins and session variables", async () => {
  const { session, run, call } = live();
  const path = await session();
  await call("POST", `${path}/variables`, { variables: { v: "text" } });
  await call("POST", `${path}/plugins`, {
    name: "read",
    code: "from taskweaver.plugin import Plugin, register_plugin\n@register_plugin\nclass Read(Plugin):\n    def __call__(self): return self.ctx.get_session_var('v')",
  });
  await run(path, "x = 1");
  expect((await call("POST", `${path}/restart`)).json).toMatchObject({ status: "running", loaded_plugins: ["read"] });
  expect((await run(path, "[read(), 'x' in globals()]")).output).toEqual(["text", false]);
});

test("an idle session stops, counts toward no limit, and comes back with all but its variables", async () => {
  const { session, run, info, call } = live();
  const path = await session({ idle_timeout: 0.2 });
  await run(path, "x = 1; open('file', 'w').close()");
  await vi.waitFor(async () => expect((await info(path)).status).toBe("stopped"), 10_000);
  expect((await call("GET", `${path}/executions`)).json["executions"]).toHaveLength(1);
  expect(await run(path, "import os; ['x' in globals(), os.path.exists('file')]")).toMatchObject({
    output: [false, true],
    state_kept: false,
  });
});

test("input() raises at once unless it is allowed, and is answered where it is", async () => {
  const { session, run, call } = live();
  const path = await session();
  const refused = await run(path, "input('name? ')");
  expect(refused).toMatchObject({ is_success: false, reason: "error", error: expect.stringMatching(/StdinNotImplementedError/) });
  const running = run(path, "input('name? ')", { exec_id: "ask", allow_input: true });
  await vi.waitFor(async () => expect((await call("POST", `${path}/execute/ask/input`, { text: "Ädä" })).status).toBe(200), 10_000);
  expect((await running).output).toBe("Ädä");
});

/** Whether a process has ended; nobody may have reaped it yet. */
async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return status === "" || /\) [ZX]/.test(status);
}

/** Waits until the code of an execution has written its first word. */
async function begun({ url }: LiveServer, path: string, id: string): Promise<void> {
  const stream = `${url}/api/v1${path}/execute/${id}/stream`;
  const response = await vi.waitFor(async () => {
    const answer = await fetch(stream);
    expect(answer.status).toBe(200);
    return answer;
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("begun")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the execution ended: ${text}`);
    text += value;
  }
  await reader.cancel();
}
