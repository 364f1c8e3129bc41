/** Walled kernels: what code in one cannot do, tried from inside, on a real server, by each wall and each way to start a kernel. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ExecutionSession } from "../../src/client/index.ts";
import { askMachine, type SandboxLevel } from "../../src/provision/sandbox/sandbox.ts";
import { testPython } from "../helpers/python.ts";
import { whenDone } from "../helpers/when-done.ts";
import { HUNT, SOCKETS } from "./sandbox-hunts.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const ability = await askMachine(testPython());
const CASES = [
  { way: "forked", level: "namespaces", kernelStart: "fork", kernelPool: 0 },
  { way: "pooled", level: "namespaces", kernelStart: "fork", kernelPool: 2 },
  { way: "spawned", level: "namespaces", kernelStart: "spawn", kernelPool: 0 },
  { way: "pooled", level: "landlock", kernelStart: "fork", kernelPool: 2 },
  { way: "spawned", level: "landlock", kernelStart: "spawn", kernelPool: 0 },
] as const;
const REFUSED = /^(PermissionError|FileNotFoundError|OSError|ProcessLookupError|NotADirectoryError)$/;
const refused = expect.stringMatching(REFUSED) as string;

let count = 0;

function canRaise(level: SandboxLevel): boolean {
  return level === "namespaces" ? ability.level === "namespaces" : ability.landlock >= 6;
}

describe.each(CASES)("code in a $way kernel behind a wall of $level", ({ level, kernelStart, kernelPool }) => {
  // The runner names what this machine cannot do.
  const test = it.skipIf(!canRaise(level));
  const settings = { sandbox: "required", apiKey: "the-servers-key", kernelStart, kernelPool } as const;
  const hooks = { sandboxAbility: async () => ({ ...ability, level }) };
  let server: TestServer;

  beforeAll(async () => {
    if (canRaise(level)) server = await startTestServer(settings, hooks);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const start = (options = {}): Promise<ExecutionSession> => server.client.start(`s${(count += 1)}`, options);
  const folderOf = (session: ExecutionSession): string => join(server.workDir, "sessions", session.sessionId);

  const waits = async (): Promise<void> => {
    await start();
    const metrics = async () => (await fetch(`${server.url}/metrics`, { headers: { "x-api-key": settings.apiKey } })).text();
    await expect.poll(metrics, { timeout: 30_000 }).toMatch(/^taskweaver_kernel_pool [1-9]/m);
  };
  if (kernelPool > 0) test("waits there for its session", waits);

  test("writes to its own folder and to temporary files, and nowhere else", async () => {
    const session = await start();
    const own = join(folderOf(session), "cwd");
    expect(await attempt(session, "(open('kept.txt', 'w').write('kept'), os.getcwd())")).toEqual([4, own]);
    expect(await readFile(join(own, "kept.txt"), "utf8")).toBe("kept");
    expect(await attempt(session, "__import__('tempfile').NamedTemporaryFile().write(b'abc')")).toBe(3);
    expect(await attempt(session, "os.makedirs(os.path.expanduser('~/.cache/library'))")).toBe("");
    const outside = join(server.workDir, "outside.txt");
    await writeFile(outside, "as it was");
    for (const path of [outside, "/etc/passwd", join(folderOf(session), "ces/session.json"), "/proc/sys/kernel/core_pattern"])
      expect([path, await attempt(session, `open(${JSON.stringify(path)}, 'r+')`)]).toEqual([path, refused]);
    expect(await attempt(session, `os.truncate(${JSON.stringify(outside)}, 0)`)).toEqual(refused);
    for (const path of [join(server.workDir, "new"), join(folderOf(session), "new"), "/usr/lib/taskweaver-test-new"])
      expect([path, await attempt(session, `os.rmdir(os.mkdir(${JSON.stringify(path)}) or ${JSON.stringify(path)})`)]).toEqual([
        path,
        refused,
      ]);
    expect(await readFile(outside, "utf8")).toBe("as it was");
  });

  test("reads neither another session's files nor the server's, also by symlinks", async () => {
    const [mine, other] = [await start(), await start()];
    await other.executeCode("open('secret.txt', 'w').write('secret')");
    const folder = join(folderOf(other), "cwd");
    const secret = join(folder, "secret.txt");
    expect(await readFile(secret, "utf8")).toBe("secret");
    await symlink(secret, join(folderOf(mine), "cwd/link"));
    for (const path of [secret, "link", `../../${other.sessionId}/cwd/secret.txt`, `/proc/self/root${secret}`, "/etc/shadow"])
      expect([path, await attempt(mine, `open(${JSON.stringify(path)}).read()`)]).toEqual([path, refused]);
    for (const path of [folder, server.workDir, join(folderOf(mine), "ces"), join(server.workDir, "pool")])
      expect([path, await attempt(mine, `[] if len(os.listdir(${JSON.stringify(path)})) <= 1 else 'seen'`)]).not.toEqual([path, "seen"]);
    expect(await attempt(mine, `os.link(${JSON.stringify(secret)}, 'hard')`)).toEqual(refused);
    expect(await attempt(mine, `os.rename(${JSON.stringify(folder)}, 'taken')`)).toEqual(refused);
  });

  test("finds the server's key nowhere, and calls the server as a stranger", async () => {
    const session = await start();
    const { output, error } = await session.executeCode(HUNT.replaceAll("URL", server.url).replaceAll("WORK", server.workDir));
    expect([output, error]).toEqual([[[], 200, 401], null]);
  });

  test("neither sees nor signals other processes, and reaches no other kernel's sockets", async () => {
    const [mine, other] = [await start(), await start()];
    await other.executeCode("x = 'alive'");
    const seen = await attempt(mine, "len([name for name in os.listdir('/proc') if name.isdigit()]) > 3");
    expect([false, "PermissionError"]).toContain(seen);
    for (const pid of [process.pid, process.ppid]) expect(await attempt(mine, `os.kill(${pid}, 0)`)).toEqual(refused);
    expect(await mine.executeCode(SOCKETS)).toMatchObject({ error: null, output: [] });
    expect((await other.executeCode("x")).output).toBe("alive");
  });

  test("works in the folder that its client names, unless that would open what it must not see", async () => {
    const named = join(server.workDir, `project${(count += 1)}/deep`);
    const session = await start({ cwd: named });
    expect(await attempt(session, "(os.getcwd(), open('made', 'w').write('x'))")).toEqual([named, 1]);
    expect(await readdir(named)).toEqual(["made"]);
    const link = join(server.workDir, `link${(count += 1)}`);
    await symlink("/", link);
    for (const cwd of ["/", server.workDir, link]) {
      const moved = await start({ cwd });
      expect((await moved.getSessionInfo()).cwd).toBe(join(folderOf(moved), "cwd"));
    }
  });

  test("draws, computes, starts processes, loads plugins, and has what is uploaded", async () => {
    const session = await start();
    const plugin = "from taskweaver.plugin import register_plugin\n@register_plugin\ndef double(x):\n    return 2 * x";
    await session.loadPlugin({ name: "double", code: plugin });
    await session.uploadFile("in/data.csv", "a,b\n1,2\n3,4\n");
    const code = [
      "import multiprocessing, subprocess, sys, pandas as pd, matplotlib.pyplot as plt",
      "frame = pd.read_csv('in/data.csv')",
      "frame.plot()",
      "with multiprocessing.get_context('fork').Pool(2) as pool: squares = pool.map(abs, [-1, -2])",
      "child = subprocess.run([sys.executable, '-c', 'import numpy; print(numpy.arange(3).sum())'], capture_output=True, text=True)",
      "[double(int(frame.b.sum())), squares, child.stdout.strip()]",
    ].join("\n");
    const result = await session.executeCode(code);
    expect(result.error).toBeNull();
    expect(result).toMatchObject({ output: [12, [1, 2], "3"], artifact: [{ type: "image" }] });
    const temporary = join(folderOf(session), "tmp");
    const places = "[os.environ['HOME'], os.environ['TMPDIR'], open(os.path.expanduser('~/left'), 'w').write('x')]";
    expect(await attempt(session, places)).toEqual([temporary, temporary, 1]);
    const gone = await session.executeCode("import os; os.kill(os.getpid(), 9)");
    expect(gone).toMatchObject({ reason: "kernel_died", state_kept: false });
    expect((await session.executeCode("double(4), os.path.exists('in/data.csv') if 'os' in dir() else 0")).is_success).toBe(true);
    expect(await attempt(session, "os.path.exists(os.path.expanduser('~/left'))")).toBe(false);
    await mkdir(join(folderOf(session), "cwd/later"));
    expect((await session.executeCode("import os; os.listdir('later'), double(1)")).output).toEqual([[], 2]);
  });
});

describe.each(["namespaces", "landlock"] as const)("without a network and with more to read, behind a wall of %s", (level) => {
  it.skipIf(!canRaise(level))(
    "code reaches nobody, reads what sandbox_read names and changes none of it, and the kernel works",
    async () => {
      const hooks = { sandboxAbility: async () => ({ ...ability, level }) };
      const folder = await mkdtemp(join(homedir(), ".taskweaver-data-"));
      whenDone(() => rm(folder, { recursive: true }));
      const [shown, beside] = [join(folder, "shown"), join(folder, "beside")];
      for (const each of [shown, beside]) await mkdir(each).then(() => writeFile(join(each, "data"), "41"));
      await using server = await startTestServer({ sandbox: "required", sandboxNetwork: false, sandboxRead: [shown] }, hooks);
      const session = await server.client.start("alone");
      expect(await attempt(session, `open(${JSON.stringify(join(shown, "data"))}).read()`)).toBe("41");
      expect(await attempt(session, `open(${JSON.stringify(join(shown, "data"))}, 'a')`)).toEqual(refused);
      expect(await attempt(session, `open(${JSON.stringify(join(beside, "data"))}).read()`)).toEqual(refused);
      expect(await attempt(session, `socket.create_connection(('127.0.0.1', ${server.port}), 5)`)).toMatch(/Error$/);
      expect(await attempt(session, "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 9))")).toMatch(/Error$/);
      expect((await session.executeCode("6 * 7")).output).toBe(42);
    },
  );
});

/** Runs an expression; its value, or the name of the exception. */
async function attempt(session: ExecutionSession, expression: string): Promise<unknown> {
  const code = `import os, socket\ntry:\n    seen = ${expression}\nexcept BaseException as error:\n    seen = type(error).__name__\nseen`;
  return (await session.executeCode(code)).output;
}
