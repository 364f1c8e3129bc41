/** Limits of sessions over the lives of servers, and where nothing can hold them. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { isAlive } from "../../src/provision/process-identity.ts";
import { expectGone, groupsOf, needsControlGroups } from "../abuse/held-server.ts";
import { testPython } from "../helpers/python.ts";
import { freePort, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";

const BOMB = "hog = []\nwhile True: hog.append(bytearray(16 << 20))";

let workDir: string;
beforeEach(async () => {
  workDir = await mkdtemp(join(tmpdir(), "taskweaver-limits-"));
});
afterEach(() => rm(workDir, { recursive: true, force: true, maxRetries: 3 }));

describe("a server that was killed", () => {
  needsControlGroups();
  let server: ServerProcess;
  let port: number;
  beforeEach(async () => {
    port = await freePort();
  });
  afterEach(() => server.end("SIGTERM"));
  const start = async (...args: string[]): Promise<ServerProcess> =>
    (server = await startServerProcess(workDir, port, "--orphan-timeout", "60", ...args));

  it("leaves its sessions held: the next one finds their groups, and ends the ones that nobody needs", async () => {
    const first = (await start("--session-memory", "600m", "--session-processes", "80")).client;
    const session = await first.start("kept");
    const stray = await session.executeCode("import subprocess\nkept = 1\nsubprocess.Popen(['sleep', '600'], start_new_session=True).pid");
    const before = await groupsOf({ workDir });
    await server.end("SIGKILL");

    const second = (await start("--session-memory", "500m", "--session-processes", "80")).client.session("kept");
    expect((await second.executeCode("kept")).output).toBe(1);
    const groupOfKernel = basename(await groupOf((await second.executeCode("import os; os.getpid()")).output as number));
    const kept = before.filter((group) => basename(group) === groupOfKernel);
    expect(kept.length).toBeGreaterThan(0);
    await expectGone(before.filter((group) => !kept.includes(group)));
    expect(isAlive(stray.output as number)).toBe(true);
    const result = await second.executeCode(BOMB);
    expect(result).toMatchObject({ reason: "out_of_memory", error: expect.stringContaining("(500 MiB, session_memory)") });
    await expectGone(kept);
    await server.end("SIGTERM");
    await expectGone(before.map((group) => dirname(group)));
    expect(isAlive(stray.output as number)).toBe(false);
  });

  it("and comes back without limits lifts them; nothing is left over when all is over", async () => {
    const first = (await start("--session-memory", "600m")).client;
    await (await first.start("kept")).executeCode("kept = 1");
    const before = await groupsOf({ workDir });
    await server.end("SIGKILL");
    const second = (await start()).client.session("kept");
    const result = await second.executeCode("hog = bytearray(b'x' * (700 << 20)); (kept, len(hog) >> 20)");
    expect(result).toMatchObject({ reason: "completed", output: [1, 700] });
    await server.end("SIGTERM");
    await expectGone([...before, ...before.map((group) => dirname(group))]);
  });
});

describe("a limit that nothing can hold", () => {
  it("is refused at the start with a sentence, and doctor says so", async () => {
    const args = ["server", "--session-memory", "1g", "--work-dir", workDir, "--python", testPython(), "--port", "0"];
    const refused = await withoutControlGroups(args);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(
      /^taskweaver: session_memory cannot be held on this machine \(control groups \(version 2\).*\): start the server where .*Delegate=yes.*, or leave session_memory out\.\n$/,
    );
    const doctor = await withoutControlGroups([
      "doctor",
      "--json",
      "--session-memory",
      "1g",
      "--work-dir",
      workDir,
      "--python",
      testPython(),
    ]);
    const checks = JSON.parse(doctor.stdout).checks as { name: string; status: string }[];
    expect(checks.find((check) => check.name === "Session limits")).toMatchObject({ status: "problem" });
    expect(doctor.exitCode).toBe(1);
  });
});

/** The folder of a process' control group, in the hierarchy that holds memory. */
async function groupOf(pid: number): Promise<string> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, "utf8")).split("\n");
  const line = lines.find((each) => each.includes(":memory:")) ?? lines.find((each) => each.startsWith("0::")) ?? "";
  return line.split(":").at(-1) ?? "";
}

/** Runs the command where no control groups are mounted: in a mount namespace of its own, as whoever runs the tests. */
function withoutControlGroups(args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const hide = 'while umount -l /sys/fs/cgroup 2>/dev/null; do :; done; umount -R -l /sys 2>/dev/null; exec "$@"';
  const command = [process.execPath, join(PACKAGE_ROOT, "dist/cli/main.js"), ...args];
  const map = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return new Promise((resolve) => {
    execFile("unshare", [...map, "--mount", "sh", "-c", hide, "sh", ...command], (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : typeof error.code === "number" ? error.code : -1, stdout, stderr });
    });
  });
}
