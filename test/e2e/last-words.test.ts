/** What code writes just before its kernel dies arrives: whole, in order and once, however it dies and however many die at once. */
import { readFileSync } from "node:fs";
import { access, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, afterAll, describe, expect, test, vi } from "vitest";
import type { ExecutionClient } from "../../src/client/index.ts";
import { openRuntimeDirectory } from "../../src/provision/runtime-directory.ts";
import { askMachine } from "../../src/provision/sandbox/sandbox.ts";
import { testPython } from "../helpers/python.ts";
import { freePort, startServerProcess } from "../helpers/server-process.ts";
import { whenDone } from "../helpers/when-done.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const AT_ONCE = 6;

/** What Python says of a crash in C. */
const CRASH = /Fatal Python error: (?:Segmentation fault|Aborted)\n[^]*in <module>[^]*/;

const DEATHS = {
  "os._exit": "import os; os._exit(3)",
  "a segmentation fault": "import ctypes; ctypes.string_at(0)",
  abort: "import os; os.abort()",
  SIGKILL: "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
};

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ kernelStart: "auto", kernelPool: 2 });
});

afterAll(async () => server[Symbol.asyncDispose]());

describe.each(Object.entries(DEATHS))("a kernel that dies by %s", (_name, death) => {
  test("has printed to the end, on both streams and across displays", async () => {
    const code = `
import sys
from IPython.display import display
for number in range(3000):
    print("line", number)
    if number % 1000 == 999:
        print("note \\0 \\ud800 ä€😀", number, file=sys.stderr)
        display({"text/plain": f"display {number}"}, raw=True)
print("no end of line", end="")
${death}`;
    const results = await manyAtOnce(server.client, code);
    const lines = Array.from({ length: 3000 }, (_, number) => `line ${number}\n`).join("");
    for (const result of results) {
      expect(result.reason).toBe("kernel_died");
      expect(result.stdout.join("")).toBe(`${lines}no end of line`);
      const notes = [999, 1999, 2999].map((number) => `note \0 \\ud800 ä€😀 ${number}\n`).join("");
      expect(result.stderr.join("").replace(CRASH, "")).toBe(notes);
      expect(result.artifact.map(({ preview }) => preview)).toEqual(["display 999", "display 1999", "display 2999"]);
    }
  });

  test("has sent a text of megabytes", async () => {
    const results = await manyAtOnce(server.client, `print("abcdefgh" * 500_000, end="")\n${death}`);
    for (const result of results) expect(result.stdout.join("") === "abcdefgh".repeat(500_000)).toBe(true);
  });
});

describe.each(Object.entries(DEATHS))("file descriptors of a kernel that dies by %s", (name, death) => {
  const isCrash = ["a segmentation fault", "abort"].includes(name);

  test("hold what code, C libraries and children wrote to them", async () => {
    const code = `
import ctypes, os, subprocess
print("printed", end=" ")
for number in range(2000):
    os.write(1, b"line %d\\n" % number)
ctypes.CDLL(None).dprintf(2, b"last words of a library\\n")
${death}`;
    for (const result of await manyAtOnce(server.client, code)) {
      const lines = Array.from({ length: 2000 }, (_, number) => `line ${number}\n`).join("");
      expect(result.stdout.join("")).toBe(`printed ${lines}`);
      expect(result.stderr.join("").replace(CRASH, "")).toBe("last words of a library\n");
      expect(CRASH.test(result.stderr.join(""))).toBe(isCrash);
    }
    const children = `
import subprocess
subprocess.run("for i in $(seq 500); do echo child $i; done", shell=True)
print("after it")
${death}`;
    for (const result of await manyAtOnce(server.client, children)) {
      expect(result.stdout.join("")).toBe(`${Array.from({ length: 500 }, (_, index) => `child ${index + 1}\n`).join("")}after it\n`);
    }
  });
});

const LAST_WORDS = `
import os
print("printed")
os.write(1, b"written\\n")
os._exit(3)`;

test.skipIf((await askMachine(testPython())).level === null)("a walled kernel's last words arrive, too", async () => {
  await using walled = await startTestServer({ kernelStart: "auto", kernelPool: 1, sandbox: "required" });
  for (const result of await manyAtOnce(walled.client, LAST_WORDS)) expect(result.stdout.join("")).toBe("printed\nwritten\n");
});

test("a server that took a session back hears the last words of its kernel", async () => {
  const workDir = await mkdtemp(join(tmpdir(), "taskweaver-words-"));
  whenDone(() => rm(workDir, { recursive: true, force: true, maxRetries: 3 }));
  const port = await freePort();
  const first = await startServerProcess(workDir, port);
  whenDone(() => first.end("SIGKILL"));
  const session = await first.client.start("kept");
  await session.executeCode("import subprocess; subprocess.run('echo before', shell=True)");
  await first.end("SIGKILL");
  const second = await startServerProcess(workDir, port);
  whenDone(() => second.end("SIGTERM"));
  const result = await session.executeCode(LAST_WORDS);
  expect(result.reason).toBe("kernel_died");
  expect(result.stdout.join("")).toBe("printed\nwritten\n");
});

/** Each is gone before the next server has followed its code. */
const ENDS = {
  kills_itself: "os.kill(os.getpid(), signal.SIGKILL)",
  waits_in_vain: "time.sleep(600)",
  answers_nobody: "os.kill(os.getpid(), signal.SIGSTOP)",
};

const WHILE_AWAY = `
import os, signal, sys, time
from IPython.display import display
print(os.getpid())
while not os.path.exists("../../../away"): time.sleep(0.01)
for number in range(3000): print("line", number)
print("note", file=sys.stderr)
display({"text/plain": "shown"}, raw=True)
print("no end of line", end="")
open("said", "w").close()
`;

test("what kernels wrote and no server took is told by the next one, though they died before that came", async () => {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-words-"));
  whenDone(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const [workDir, run, port] = [join(folder, "work"), join(folder, "run"), await freePort()];
  await mkdir(run, { mode: 0o700 });
  vi.stubEnv("XDG_RUNTIME_DIR", run);
  whenDone(() => vi.unstubAllEnvs());
  const first = await startServerProcess(workDir, port, "--orphan-timeout", "1");
  whenDone(() => first.end("SIGKILL"));
  const pids = await Promise.all(
    Object.entries(ENDS).map(async ([id, end]) => {
      const session = await first.client.start(id);
      const execution = session.executeCode(WHILE_AWAY + end, { executionId: "it" });
      for await (const event of execution) if (event.event === "output") return [id, Number(event.data.text)] as const;
      throw new Error("it says nothing");
    }),
  );
  // From here on it takes nothing; kernels wait for one that comes only when it is gone.
  first.process.kill("SIGSTOP");
  await writeFile(join(workDir, "away"), "");
  for (const id of Object.keys(ENDS)) await vi.waitFor(() => access(join(workDir, "sessions", id, "cwd/said")), 60_000);
  await first.end("SIGKILL");
  for (const [id, pid] of pids)
    await vi.waitFor(() => expect([id, stateOf(pid)]).toEqual([id, id === "answers_nobody" ? "T" : "X"]), 20_000);
  // What another server that starts finds old it takes away.
  const sockets = join(run, "taskweaver");
  for (const name of await readdir(sockets)) await utimes(join(sockets, name), new Date(), new Date(Date.now() - 600_000));
  await openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: run } });

  const starting = startServerProcess(workDir, port);
  whenDone(async () => (await starting).end("SIGKILL"));
  await vi.waitFor(() => fetch(`http://127.0.0.1:${port}/api/v1/ready`), 60_000);
  process.kill(pids.find(([id]) => id === "answers_nobody")?.[1] ?? 0, "SIGKILL");
  const second = await starting;
  for (const [id, pid] of pids) {
    const session = second.client.session(id);
    let streamed = "";
    const result = await session.followExecution("it", { onStdout: (text) => void (streamed += text) });
    const lines = Array.from({ length: 3000 }, (_, number) => `line ${number}\n`).join("");
    expect(streamed).toBe(`${pid}\n${lines}no end of line`);
    expect(result.stdout.join("")).toBe(streamed);
    expect(result.stderr.join("")).toBe("note\n");
    expect(result).toMatchObject({ reason: "kernel_died", state_kept: false, artifact: [{ preview: "shown" }] });
  }
  expect(await second.client.session("waits_in_vain").executeCode("'pid' in globals()")).toMatchObject({ output: false, state_kept: true });
  await second.end("SIGTERM");
  expect(await readdir(sockets)).toEqual([]);
});

/** The letter that the system has for it; X where it is gone. */
function stateOf(pid: number): string {
  try {
    const state = /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1] ?? "";
    return state === "Z" ? "X" : state;
  } catch {
    return "X";
  }
}

async function manyAtOnce(client: ExecutionClient, code: string): Promise<Awaited<ReturnType<typeof dieIn>>[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, () => dieIn(client, code)));
}

async function dieIn(client: ExecutionClient, code: string) {
  await using session = await client.start();
  return await session.executeCode(code);
}
