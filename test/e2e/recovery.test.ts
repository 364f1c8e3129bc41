/** Sessions survive the server: killed or upgraded, the next one on the work directory takes them back. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { freePort, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";

const COUNT = "import time\nfor i in range(30):\n    print(i)\n    time.sleep(0.1)\n'counted'";
const COUNTED = Array.from({ length: 30 }, (_, index) => `${index}\n`).join("");

let workDir: string;
let port: number;
let server: ServerProcess;

beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), "taskweaver-recovery-"));
  port = await freePort();
});
afterEach(async () => {
  // SIGTERM ends the kernels, too.
  await server.end("SIGTERM");
  await rm(workDir, { recursive: true, force: true });
});

async function start(...args: string[]): Promise<ServerProcess> {
  server = await startServerProcess(workDir, port, "--orphan-timeout", "60", ...args);
  return server;
}

describe("after the server was killed", () => {
  it("the next one says that it is starting, and answers nothing else, until it has taken back what there is", async () => {
    const session = await (await start()).client.start("kept");
    const pid = Number((await session.executeCode("x = 41; import os; os.getpid()")).output);
    await server.end("SIGKILL");
    // A kernel that does not answer yet keeps its server waiting.
    process.kill(pid, "SIGSTOP");
    const starting = start();
    try {
      const api = `http://127.0.0.1:${port}/api/v1`;
      const ready = await vi.waitFor(() => fetch(`${api}/ready`), { timeout: 60_000 });
      expect([ready.status, await ready.json()]).toMatchObject([503, { status: "starting" }]);
      expect((await fetch(`${api}/health`)).status).toBe(200);
      const info = await fetch(`${api}/sessions/kept`);
      expect([info.status, info.headers.get("retry-after"), await info.json()]).toMatchObject([503, "1", { code: "starting" }]);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    const { client, url } = await starting;
    expect((await fetch(`${url}/api/v1/ready`)).status).toBe(200);
    expect(await client.session("kept").executeCode("x + 1")).toMatchObject({ output: 42, state_kept: true });
  });

  it("a session has its variables, plugins, session variables, results and files", async () => {
    const first = (await start()).client;
    const session = await first.start("kept");
    await session.executeCode("x = 41; print('hello')", { executionId: "one" });
    const plugin =
      "from taskweaver.plugin import Plugin, register_plugin\n@register_plugin\nclass Add(Plugin):\n  def __call__(self, a):\n    return a + int(self.ctx.get_session_var('step'))";
    await session.loadPlugin({ name: "add", code: plugin });
    await session.updateSessionVar({ step: "2" });
    await server.end("SIGKILL");

    const second = (await start()).client.session("kept");
    const info = await second.getSessionInfo();
    expect(info).toMatchObject({ status: "running", loaded_plugins: ["add"], execution_count: 1 });
    expect((await second.getExecution("one")).result).toMatchObject({ stdout: ["hello\n"], reason: "completed" });
    const result = await second.executeCode("add(x)");
    expect(result).toMatchObject({ output: 43, state_kept: true });
    expect((await second.getSessionInfo()).execution_count).toBe(2);
  });

  it("an execution that ran through it is complete from its first event, and what was queued behind it runs", async () => {
    const session = await (await start()).client.start("kept");
    const counting = session.executeCode(COUNT, { executionId: "counting" });
    for await (const event of counting) if (event.event === "output" && event.data.text.includes("3")) break;
    void session.executeCode("'behind'", { executionId: "behind" }).then(undefined, () => undefined);
    await vi.waitFor(async () => expect((await session.getExecution("behind")).state).toBe("queued"));
    await server.end("SIGKILL");

    const again = (await start()).client.session("kept");
    let text = "";
    const result = await again.followExecution("counting", { onStdout: (chunk) => void (text += chunk) });
    expect(text).toBe(COUNTED);
    expect(result).toMatchObject({ output: "counted", reason: "completed", state_kept: true });
    expect(result.stdout.join("")).toBe(COUNTED);
    expect(await again.followExecution("behind")).toMatchObject({ output: "behind", reason: "completed" });
  });

  it("a client that was reading resumes and misses nothing", async () => {
    const session = await (await start()).client.start("kept");
    let text = "";
    let killed: Promise<unknown> | undefined;
    const reading = session.executeCode(COUNT, {
      onStdout: (chunk) => {
        text += chunk;
        if (text.includes("5\n")) killed ??= server.end("SIGKILL").then(() => start());
      },
    });
    const result = await reading;
    await killed;
    expect(text).toBe(COUNTED);
    expect(result.reason).toBe("completed");
  });

  it("code that waits for an answer gets it through the next one, and is asked no question twice", async () => {
    const session = await (await start()).client.start("kept");
    const code = "name = input('name? ')\nage = input('age? ')\nprint(name, age)";
    const asking = session.executeCode(code, { executionId: "asking", allowInput: true });
    for await (const event of asking) if (event.event === "input_request") break;
    await server.end("SIGKILL");

    const again = (await start()).client.session("kept");
    const asked: string[] = [];
    const onInputRequest = ({ prompt }: { prompt: string }): string => {
      asked.push(prompt);
      return prompt === "name? " ? "Ada" : "36";
    };
    const result = await again.followExecution("asking", { onInputRequest });
    expect(result).toMatchObject({ reason: "completed", state_kept: true });
    expect(result.stdout.join("")).toBe("Ada 36\n");
    expect(asked).toEqual(["name? ", "age? "]);
  });

  it("output that was too much to be kept is told to be missing where it is, and what follows is exact to the kernel's death", async () => {
    const session = await (await start("--max-output-bytes", "200000000")).client.start("kept");
    // A line of 100 kB is a message of its own.
    const code = `import os, time
def write(name, count):
    for number in range(count): print(f"{name}{number}", "x" * 100_000)
print("begun")
while not os.path.exists("away"): time.sleep(0.01)
write("a", 900)
open("written", "w").close()
while not os.path.exists("back"): time.sleep(0.01)
write("b", 10)
os.kill(os.getpid(), 9)`;
    const writing = session.executeCode(code, { executionId: "writing" });
    for await (const event of writing) if (event.event === "output") break;
    const { cwd } = await session.getSessionInfo();
    await server.end("SIGKILL");
    await writeFile(join(cwd, "away"), "");
    await vi.waitFor(() => readFile(join(cwd, "written")), { timeout: 30_000 });

    const again = (await start("--max-output-bytes", "200000000")).client.session("kept");
    await writeFile(join(cwd, "back"), "");
    const result = await again.followExecution("writing");
    expect(result).toMatchObject({ reason: "kernel_died", state_kept: false });
    expect(result.stderr.join("")).toBe("\n[some output is missing here: it was written while the server was away]\n");
    const names = Array.from(result.stdout.join("").matchAll(/^[ab]\d+(?= x{100000}$)/gm), ([name]) => name);
    const kept = names.length - 10;
    expect(kept).toBeGreaterThan(600);
    expect(names).toEqual([...numbered("a", 900).slice(-kept), ...numbered("b", 10)]);
  });

  it("code whose kernel died meanwhile is told to have died, and the session goes on", async () => {
    const session = await (await start()).client.start("kept");
    const { stdout } = await session.executeCode("import os; print(os.getpid())");
    void session.executeCode("import time; time.sleep(60)", { executionId: "sleeping" }).then(undefined, () => undefined);
    await vi.waitFor(async () => expect((await session.getExecution("sleeping")).state).toBe("running"));
    await server.end("SIGKILL");
    process.kill(Number(stdout.join("")), "SIGKILL");

    const again = (await start()).client.session("kept");
    expect(await again.followExecution("sleeping")).toMatchObject({ reason: "kernel_died", state_kept: false, is_success: false });
    expect(await again.executeCode("1 + 1")).toMatchObject({ output: 2 });
  });

  it("a damaged record costs its session and not the start", async () => {
    const { client } = await start();
    await client.start("damaged");
    await client.start("sound");
    await server.end("SIGKILL");
    await writeFile(join(workDir, "sessions/damaged/ces/session.json"), '{"version": 1, "sess');

    const sessions = await (await start()).client.listSessions();
    expect(sessions.map((session) => session.session_id)).toEqual(["sound"]);
    expect(await readdir(join(workDir, "sessions/damaged/ces"))).toContain("session.json.damaged");
  });

  it("a kernel whose server does not come back ends by itself, with what it started", async () => {
    server = await startServerProcess(workDir, port, "--orphan-timeout", "1");
    const session = await server.client.start("orphan");
    const { stdout } = await session.executeCode(
      "import os, subprocess; child = subprocess.Popen(['sleep', '600']); print(os.getpid(), child.pid)",
    );
    await server.end("SIGKILL");
    for (const pid of stdout.join("").trim().split(" ")) await vi.waitFor(() => isGone(pid), { timeout: 20_000, interval: 100 });
  });
});

describe("a server that is told to end", () => {
  it("ends its kernels and forgets its sessions", async () => {
    const session = await (await start()).client.start("ended");
    const { stdout } = await session.executeCode("import os; print(os.getpid())");
    expect(await server.end("SIGTERM")).toEqual({ exitCode: 0, signal: null });
    await isGone(stdout.join("").trim());
    expect(await (await start()).client.listSessions()).toEqual([]);
  });

  it.each(["fork", "spawn"])("leaves them to the next one where it was started with --keep-sessions, kernels by %s", async (way) => {
    const session = await (await start("--keep-sessions", "--kernel-start", way)).client.start("kept");
    await session.executeCode("x = 1");
    void session.executeCode(COUNT, { executionId: "counting" }).then(undefined, () => undefined);
    await vi.waitFor(async () => expect((await session.getExecution("counting")).state).toBe("running"));
    expect(await server.end("SIGTERM")).toEqual({ exitCode: 0, signal: null });

    const again = (await start()).client.session("kept");
    const result = await again.followExecution("counting");
    expect(result.stdout.join("")).toBe(COUNTED);
    expect(await again.executeCode("x")).toMatchObject({ output: 1, state_kept: true });
  });
});

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${name}${number}`);
}

async function isGone(pid: string): Promise<void> {
  const status = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "0 (gone) Z");
  expect(status).toMatch(/\) [ZX]/);
}
