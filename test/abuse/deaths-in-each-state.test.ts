/**
 * Kernels that end at the worst of moments: while they become a session's; while a plugin loads, for the first time or again; while it hangs; between the reply of
 * an execution and its idle status; right behind it; under a Jupyter client. Each could hold a request, take the session with it or leave a result untold; none does.
 */
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { JupyterClient } from "../helpers/jupyter-client.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";

const live = sharedByAll(() => {
  vi.stubEnv("PYTHONPATH", fileURLToPath(new URL("../fixtures", import.meta.url)));
  whenDone(() => vi.unstubAllEnvs());
  return startLiveServer({ kernelStart: "fork", kernelPool: 1, preload: ["dies_at_bind"] });
});

test("a waiting kernel that dies while it becomes a session's costs nothing: the session has another", async () => {
  const { session, run, url, workDir } = live();
  await vi.waitFor(async () => expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^taskweaver_kernel_pool 1$/m), 30_000);
  const mark = join(workDir, "mark");
  await writeFile(mark, "");
  const path = await session({ env: { DIES_AT_BIND: mark } });
  expect(existsSync(mark)).toBe(false);
  expect(await run(path, "import os; os.environ['DIES_AT_BIND']")).toMatchObject({ reason: "completed", output: mark, state_kept: true });
});

const plugin = (body: string): string => `
import os, signal, sys, time
from taskweaver.plugin import register_plugin
${body}
@register_plugin
def double(x):
    return 2 * x
`;

test.each([
  ["exits", "os._exit(3)", "ended the kernel"],
  ["kills its kernel", "os.kill(os.getpid(), signal.SIGKILL)", "ended the kernel"],
  ["crashes it", "os.kill(os.getpid(), signal.SIGSEGV)", "ended the kernel"],
  ["asks it to exit", "sys.exit(3)", "failed to load"],
])("a plugin that %s while it loads is refused; what waits runs, on a kernel without it", async (_, body, words) => {
  const { session, call, run, info } = live();
  const path = await session();
  const [answer, behind] = await Promise.all([
    call("POST", `${path}/plugins`, { name: "double", code: plugin(body) }),
    run(path, "'double' in globals()"),
  ]);
  expect(answer).toMatchObject({ status: 400, json: { code: "plugin_failed", detail: expect.stringContaining(words) } });
  expect(behind).toMatchObject({ reason: "completed", output: false });
  expect(await info(path)).toMatchObject({ status: "running", loaded_plugins: [] });
});

test("a plugin that ends the fresh kernels on which it is loaded again is left out, and the next result says so", async () => {
  const { session, call, run, info } = live();
  const path = await session();
  const onceOnly = "if os.path.exists('loaded'): os._exit(3)\nopen('loaded', 'w').close()";
  expect((await call("POST", `${path}/plugins`, { name: "double", code: plugin(onceOnly) })).status).toBe(200);
  expect((await run(path, "double(21)")).output).toBe(42);
  expect((await run(path, "import os; os._exit(1)")).reason).toBe("kernel_died");
  const next = await run(path, "1 + 1");
  expect(next).toMatchObject({
    reason: "completed",
    output: 2,
    log: [["error", "Plugin-double", expect.stringContaining("ended the kernel")]],
  });
  expect(await info(path)).toMatchObject({ status: "running", loaded_plugins: [] });
});

test("a plugin that hangs while it loads keeps no one: a restart ends it, and so does the session's end", async () => {
  const { session, call, run, workDir } = live();
  const [path, other] = [await session(), await session()];
  const mark = join(workDir, path, "cwd/hangs");
  const code = plugin("open('hangs', 'w').close()\nwhile True: time.sleep(1)");
  for (const [method, end] of [
    ["POST", `${path}/restart`],
    ["DELETE", path],
  ] as const) {
    await rm(mark, { force: true });
    const hanging = call("POST", `${path}/plugins`, { name: "double", code });
    await vi.waitFor(() => expect(existsSync(mark)).toBe(true), { timeout: 20_000 });
    expect((await run(other, "1 + 1")).output).toBe(2);
    expect((await call(method, end)).status).toBe(200);
    expect((await hanging).json["code"]).toBe(method === "POST" ? "plugin_failed" : "session_not_found");
  }
});

/** The reply has been sent when the kernel's idle status is about to be. */
const DIES_BEFORE_IDLE = `
import os
kernel = get_ipython().kernel
publish = kernel._publish_state
def die(status, *others, **more):
    if status == "idle": os._exit(9)
    return publish(status, *others, **more)
kernel._publish_state = die
print("said")
`;

test("a kernel that dies between the reply and its idle status ends the execution at once, with what it had said", async () => {
  const { session, run } = live();
  const path = await session();
  expect(await run(path, DIES_BEFORE_IDLE)).toMatchObject({
    reason: "kernel_died",
    state_kept: false,
    stdout: ["said\n"],
    error: expect.stringContaining("exit code 9"),
  });
  expect(await run(path, "'publish' in globals()")).toMatchObject({ reason: "completed", output: false, state_kept: true });
});

test("a kernel that dies behind its idle status has completed the execution, and the next one tells of the loss", async () => {
  const { session, run } = live();
  const path = await session();
  // Ends the kernel as soon as it waits for its next request.
  const dies = "import os, asyncio\nasyncio.get_running_loop().call_later(0.2, os._exit, 9)\nkept = 1";
  expect(await run(path, dies)).toMatchObject({ reason: "completed", state_kept: true });
  for (let lost = false; !lost;) {
    const next = await run(path, "'kept' in globals()");
    lost = next.state_kept === false;
    if (next.reason === "completed") expect(next.output).toBe(!lost);
  }
  expect(await run(path, "'kept' in globals()")).toMatchObject({ reason: "completed", output: false, state_kept: true });
});

test.each(["in its own code", "in an agent's code", "while nothing runs"])(
  "a Jupyter client whose kernel dies %s is told so, is answered, and goes on with the next kernel",
  async (when) => {
    const { session, run, info, url } = live();
    const path = await session();
    const client = await JupyterClient.open(url, path.replace("/sessions/", ""));
    whenDone(() => client.socket.terminate());
    const { output: pid } = await run(path, "import os; x = 1; os.getpid()");
    const restarting = client.until(({ content }) => content["execution_state"] === "restarting");
    if (when === "in its own code") {
      client.execute("dies", "os._exit(3)");
      expect((await client.answer("dies", "execute_reply")).content).toMatchObject({ status: "error", ename: "DeadKernelError" });
    } else if (when === "in an agent's code") expect((await run(path, "os._exit(3)")).reason).toBe("kernel_died");
    else process.kill(Number(pid), "SIGKILL");
    await restarting;
    client.execute("next", "'x' in globals()");
    expect((await client.answer("next", "execute_result")).content["data"]).toMatchObject({ "text/plain": "False" });
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect(await info(path)).toMatchObject({ status: "running" });
    expect(await run(path, "1 + 1")).toMatchObject({ reason: "completed", output: 2, state_kept: true });
  },
);
