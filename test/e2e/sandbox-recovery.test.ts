/** Walled kernels over the life of their server: killed and started again, it takes them back, and no process outlives its kernel. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { askMachine } from "../../src/provision/sandbox/sandbox.ts";
import { testPython } from "../helpers/python.ts";
import { freePort, startServerProcess } from "../helpers/server-process.ts";

const { level } = await askMachine(testPython());

it.skipIf(level === null)(
  "a walled session lives on over its server, is interrupted, restarted, and leaves no process behind",
  async () => {
    const workDir = await mkdtemp(join(tmpdir(), "taskweaver-walled-"));
    const port = await freePort();
    const args = ["--sandbox", "required", "--orphan-timeout", "60"];
    let server = await startServerProcess(workDir, port, ...args);
    try {
      // A server with walls makes a key, since its kernels look like local programs.
      const apiKey = (await readFile(join(workDir, "api-key"), "utf8")).trim();
      const client = new ExecutionClient({ url: server.url, apiKey });
      const session = await client.start("kept");
      const plugin = "from taskweaver.plugin import register_plugin\n@register_plugin\ndef double(x):\n    return 2 * x";
      await session.loadPlugin({ name: "double", code: plugin });
      const marker = `taskweaver-${process.pid}-${Date.now()}`;
      const code = `import subprocess, sys, time\nx = 21\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '${marker}'], start_new_session=True)`;
      expect((await session.executeCode(code)).is_success).toBe(true);
      const counting = session.executeCode("for i in range(30):\n    print(i)\n    time.sleep(0.1)", { executionId: "counting" });
      for await (const event of counting) if (event.event === "output" && event.data.text.includes("3")) break;
      await server.end("SIGKILL");

      server = await startServerProcess(workDir, port, ...args);
      const result = await session.followExecution("counting");
      expect(result).toMatchObject({ reason: "completed", state_kept: true });
      expect(result.stdout.join("")).toBe(Array.from({ length: 30 }, (_, index) => `${index}\n`).join(""));
      expect((await session.executeCode("double(x)")).output).toBe(42);
      const sleeping = session.executeCode("print('sleeps'); time.sleep(600)", { executionId: "sleeping" });
      for await (const event of sleeping) if (event.event === "output") break;
      await client.session("kept").interrupt("sleeping");
      expect(await session.followExecution("sleeping")).toMatchObject({ reason: "interrupted", state_kept: true });
      expect(await processesWith(marker)).toHaveLength(1);
      // It left the kernel's process group, and ends with the kernel's wall all the same, where that is made of namespaces.
      await session.restart();
      if (level === "namespaces") await vi.waitFor(async () => expect(await processesWith(marker)).toEqual([]), { timeout: 20_000 });
      expect((await session.executeCode("double(1)")).output).toBe(2);
      expect(await readdir(join(workDir, "sessions/kept"))).toEqual(expect.arrayContaining(["ces", "cwd", "tmp"]));
    } finally {
      await server.end("SIGTERM");
      await rm(workDir, { recursive: true, force: true, maxRetries: 3 });
    }
  },
);

async function processesWith(word: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return pids.filter((_pid, index) => lines[index]?.includes(word));
}
