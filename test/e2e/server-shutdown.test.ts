/** The server's end, as a process of its own: answers go out, and no process, socket or file of it stays. */
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { allFrames } from "../helpers/event-stream.ts";
import { testPython } from "../helpers/python.ts";
import { killNow } from "../../src/provision/at-once.ts";
import { sweep } from "../../src/provision/runtime-directory.ts";
import { whenDone } from "../helpers/when-done.ts";
import { startCli, type CliProcess } from "./cli-process.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures", import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tw-end-"));
  await mkdir(join(folder, "run"), { mode: 0o700 });
  return () => rm(folder, { recursive: true, force: true, maxRetries: 3 });
});

describe("a server that is told to end", () => {
  test.each([
    ["SIGTERM", 0],
    ["SIGINT", 0],
  ] as const)("by %s ends what runs with a result for who waits and who reads, exits with %i and leaves nothing", async (signal, code) => {
    const { cli, api } = await startServer("--shutdown-grace", "0");
    await post(api, "/sessions", { session_id: "s" });
    const { output: pids } = await post(api, "/sessions/s/execute", {
      exec_id: "a",
      code: "import os, subprocess\n[os.getpid(), subprocess.Popen(['sleep', '600']).pid]",
    });
    const waiting = post(api, "/sessions/s/execute", {
      exec_id: "b",
      code: "print('x' * 3_000_000, flush=True)\nimport time; time.sleep(600)",
    });
    await vi.waitFor(async () => expect((await get(api, "/sessions/s/execute/b"))["state"]).toBe("running"), 10_000);
    const reading = fetch(`${api}/sessions/s/execute/b/stream`).then(allFrames);
    const queued = post(api, "/sessions/s/execute", { exec_id: "c", code: "1" });
    await vi.waitFor(async () => expect((await get(api, "/sessions/s/execute/c"))["state"]).toBe("queued"), 10_000);
    const inside = await processesOf(folder);
    expect(inside.length).toBeGreaterThan(1);
    cli.kill(signal);
    expect(await waiting).toMatchObject({ reason: "interrupted", stdout: expect.any(Array) });
    expect(await queued).toMatchObject({ reason: "cancelled" });
    expect((await reading).slice(-2).map((frame) => frame.event)).toEqual(["result", "done"]);
    expect(await cli.exited).toBe(code);
    for (const pid of [...(pids as number[]), ...inside]) expect([pid, await isGone(pid)]).toEqual([pid, true]);
    expect(await filesBelow(join(folder, "run"))).toEqual([]);
    await expect(fetch(`${api}/health`)).rejects.toThrow();
  });

  test("lets short executions end by themselves within the grace it gives them", async () => {
    const { cli, api } = await startServer("--shutdown-grace", "60");
    await post(api, "/sessions", { session_id: "s" });
    const running = post(api, "/sessions/s/execute", { exec_id: "a", code: "import time; time.sleep(1); 'done'" });
    await vi.waitFor(async () => expect((await get(api, "/sessions/s/execute/a"))["state"]).toBe("running"), 10_000);
    cli.kill("SIGTERM");
    expect(await running).toMatchObject({ reason: "completed", output: "done" });
    expect(await cli.exited).toBe(0);
  });

  test("twice ends at once, and leaves no kernel either", async () => {
    const { cli, api } = await startServer("--shutdown-grace", "600");
    await post(api, "/sessions", { session_id: "s" });
    const { output: pid } = await post(api, "/sessions/s/execute", { exec_id: "a", code: "import os; os.getpid()" });
    post(api, "/sessions/s/execute", { exec_id: "b", code: "import time; time.sleep(600)" }).catch(() => undefined);
    await vi.waitFor(async () => expect((await get(api, "/sessions/s/execute/b"))["state"]).toBe("running"), 10_000);
    cli.kill("SIGTERM");
    await vi.waitFor(async () => expect((await fetch(`${api}/ready`)).status).toBe(503), 10_000);
    const inside = await processesOf(folder);
    expect(inside).toContain(pid);
    cli.kill("SIGTERM");
    expect(await cli.exited).toBe(143);
    for (const one of inside)
      await vi.waitFor(async () => expect([one, await isGone(one)]).toEqual([one, true]), { timeout: 20_000, interval: 50 });
  });
});

describe.each([
  ["the fork server prepares", "preparing"],
  ["a kernel has just been forked", "forked"],
  ["a kernel binds its sockets", "binding"],
  ["a kernel is ready that nobody has spoken to", "ready"],
])("no process and no file outlives a server while %s", (_when, step) => {
  test("that is told twice to end", async () => {
    const { cli, inside } = await stalledServer(step);
    cli.kill("SIGTERM");
    cli.kill("SIGINT");
    expect([130, 143]).toContain(await cli.exited);
    await allGone(inside);
  });

  test("that is killed: what is left ends by itself, and the next start sweeps", async () => {
    const { cli, inside } = await stalledServer(step);
    cli.kill("SIGKILL");
    await cli.exited;
    await writeFile(join(folder, "go-on"), "");
    await allGone(inside);
    const runtimeDirectory = join(folder, "run/taskweaver");
    for (const name of await readdir(runtimeDirectory)) await utimes(join(runtimeDirectory, name), 0, 0);
    await sweep(runtimeDirectory);
    expect(await readdir(runtimeDirectory)).toEqual([]);
  });
});

describe("a server that cannot start says why in one sentence and exits with 2", () => {
  test("where its port is in use", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    whenDone(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const cli = server("--port", String(port));
    expect(await cli.exited).toBe(2);
    expect(cli.stderr).toMatch(new RegExp(`^.*Port ${port} on 127\\.0\\.0\\.1 is in use\\..*--port\\.\\n$`));
    expect(cli.stdout).toBe("");
  });

  test.each([
    [["--work-dir", "/proc/nowhere/deep"], /work directory \/proc\/nowhere\/deep is not writable/],
    [["--host", "192.0.2.1"], /192\.0\.2\.1 is no address of this machine/],
    [["--python", "/no/such/python"], /\/no\/such\/python/],
  ])("where it is started with %j", async (args, sentence) => {
    const cli = server("--port", "0", ...args);
    expect(await cli.exited).toBe(2);
    expect(cli.stderr.trim().split("\n")).toHaveLength(1);
    expect(cli.stderr).toMatch(sentence);
  });
});

describe("a server on all addresses without a key", () => {
  test("makes one, keeps it for its user only, and prints where, not what", async () => {
    const { cli, api } = await startServer("--host", "0.0.0.0");
    const file = join(folder, "work/api-key");
    const key = (await readFile(file, "utf8")).trim();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await vi.waitFor(() => expect(cli.stderr + cli.stdout).toContain(file), 10_000);
    expect(cli.stderr + cli.stdout).not.toContain(key);
    expect((await fetch(`${api}/sessions`, { headers: { "X-API-Key": key } })).status).toBe(200);
    expect((await fetch(`${api}/sessions`, { headers: { "X-API-Key": `${key}x` } })).status).toBe(401);
    cli.kill("SIGTERM");
    await cli.exited;
    const again = await startServer("--host", "0.0.0.0");
    expect((await readFile(file, "utf8")).trim()).toBe(key);
    again.cli.kill("SIGTERM");
    await again.cli.exited;
  });
});

function server(...args: (string | Record<string, string>)[]): CliProcess {
  const variables = args.filter((argument) => typeof argument === "object");
  const env = Object.assign({ XDG_RUNTIME_DIR: join(folder, "run"), TW_TEST_FOLDER: folder, PYTHONPATH: FIXTURES }, ...variables);
  const defaults = ["--host", "127.0.0.1", "--work-dir", join(folder, "work"), "--python", testPython(), "--log-format", "json"];
  const options = args.filter((argument) => typeof argument === "string");
  const cli = startCli(["server", ...defaults, ...options], { cwd: folder, env, input: "" });
  whenDone(async () => {
    cli.kill("SIGTERM");
    await cli.exited;
  });
  return cli;
}

async function startServer(...args: Parameters<typeof server>): Promise<{ cli: CliProcess; api: string }> {
  const cli = server("--port", "0", ...args);
  const [, url] = await cli.saw(/"url":"(http:[^"]+)"/);
  return { cli, api: `${String(url).replace("0.0.0.0", "127.0.0.1")}/api/v1` };
}

/** A server that has come to a step of a kernel's start, and its processes. */
async function stalledServer(step: string): Promise<{ cli: CliProcess; inside: number[] }> {
  const { cli } = await startServer("--preload", "stalling", "--orphan-timeout", "1", { TW_TEST_STALL: step });
  const stalled = await vi.waitFor(() => readFile(join(folder, "stalled"), "utf8"), { timeout: 30_000, interval: 20 });
  const inside = new Set([...(await processesOf(folder)), ...stalled.trim().split("\n").map(Number)]);
  whenDone(() => {
    for (const pid of inside) killNow(pid);
  });
  return { cli, inside: [...inside] };
}

async function allGone(pids: number[]): Promise<void> {
  for (const pid of pids)
    await vi.waitFor(async () => expect([pid, await isGone(pid)]).toEqual([pid, true]), { timeout: 20_000, interval: 20 });
}

async function post(api: string, path: string, body: object): Promise<Record<string, unknown>> {
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await (await fetch(`${api}${path}`, init)).json()) as Record<string, unknown>;
}

async function get(api: string, path: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${api}${path}`)).json()) as Record<string, unknown>;
}

/** The processes that the server of this folder started, and it itself: they have its mark in their environment. */
async function processesOf(mark: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const marked = await Promise.all(
    pids.map(async (pid) => ((await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "")).includes(mark) ? [pid] : [])),
  );
  return marked.flat();
}

/** Whether a process has ended; nobody may have reaped it yet. */
async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return status === "" || /\) [ZX]/.test(status);
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}
