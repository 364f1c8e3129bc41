/** The life of a kernel process, with tiny shell scripts for kernels. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PACKAGE_ROOT } from "../../../src/paths.ts";
import type { KernelProcess } from "../../../src/provision/provisioner.ts";
import { SubprocessProvisioner } from "../../../src/provision/subprocess-provisioner.ts";
import { pythonEnvironment } from "./python-fakes.ts";

let root: string;
let provisioner: SubprocessProvisioner;
let kernels: KernelProcess[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "taskweaver-kernels-"));
  for (const folder of ["run", "cwd"]) await mkdir(join(root, folder), { mode: 0o700 });
  kernels = [];
  provisioner = createProvisioner();
});
afterEach(async () => {
  await Promise.all(kernels.map((kernel) => kernel.terminate(0)));
  await rm(root, { recursive: true, force: true });
});

function createProvisioner(transport: "auto" | "ipc" | "tcp" = "auto"): SubprocessProvisioner {
  return new SubprocessProvisioner({
    python: pythonEnvironment(),
    runtimeDirectory: join(root, "run"),
    environment: { PATH: "/usr/bin:/bin", JUPYTER_PATH: root, HOME: root, TASKWEAVER_SERVER_API_KEY: "secret" },
    transport,
  });
}

/** Installs the script of `test/fixtures/kernels/` as a kernelspec, and launches it. */
async function launch(script: string, { spec = {}, env = {}, from = provisioner } = {}): Promise<KernelProcess> {
  const folder = join(root, "kernels", script);
  await mkdir(folder, { recursive: true });
  const argv = [join(PACKAGE_ROOT, "test/fixtures/kernels", `${script}.sh`), "{connection_file}"];
  await writeFile(
    join(folder, "kernel.json"),
    JSON.stringify({ argv, language: "shell", metadata: { taskweaver: { transport: "ipc" } }, ...spec }),
  );
  const kernel = await from.launch(request(script, env));
  kernels.push(kernel);
  return kernel;
}

function request(kernelName: string, env: Record<string, string> = {}) {
  return { kernelName, sessionId: "s", cwd: join(root, "cwd"), env, logFile: join(root, "logs/kernel.log") };
}

/** The first match in what the process has written, as soon as it is there. */
async function written(kernel: KernelProcess, pattern: RegExp): Promise<string> {
  return vi.waitFor(async () => {
    const match = pattern.exec(await kernel.lastWords(100_000));
    if (!match) throw new Error(`not written yet: ${String(pattern)}`);
    return match[1] ?? match[0];
  }, 5000);
}

/** A process whose parent does not collect it stays as a zombie: that counts as ended. */
async function isRunning(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "0 (gone) Z");
  return !/\) [ZX]/.test(status);
}

describe("launching", () => {
  it("gives the kernel a connection file that only the user can read, on Unix sockets", async () => {
    const kernel = await launch("forever");
    await written(kernel, /^ready$/m);
    const [file] = await readdir(join(root, "run"));
    expect(JSON.parse(await readFile(join(root, "run", file!), "utf8"))).toEqual(kernel.connection);
    expect((await stat(join(root, "run", file!))).mode & 0o777).toBe(0o600);
    expect(kernel.connection).toMatchObject({ transport: "ipc", kernel_name: "forever", signature_scheme: "hmac-sha256" });
    expect(kernel.connection.ip).toBe(join(root, "run", file!.replace(".json", "")));
    expect(kernel.connection.key).toHaveLength(36);
  });

  it("gives it five different ports where it is to use TCP", async () => {
    const { connection } = await launch("forever", { from: createProvisioner("tcp") });
    const { shell_port, iopub_port, stdin_port, control_port, hb_port } = connection;
    expect(connection).toMatchObject({ transport: "tcp", ip: "127.0.0.1" });
    expect(new Set([shell_port, iopub_port, stdin_port, control_port, hb_port]).size).toBe(5);
    expect(Math.min(shell_port, iopub_port, stdin_port, control_port, hb_port)).toBeGreaterThan(1023);
  });

  it("starts it in the session's directory with the session's variables and without the server's settings", async () => {
    const kernel = await launch("forever", { spec: { env: { FROM_SPEC: "1" } }, env: { FROM_SESSION: "2" } });
    await written(kernel, /^ready$/m);
    const words = await kernel.lastWords(100_000);
    expect(words).toMatch(/^FROM_SPEC=1$/m);
    expect(words).toMatch(/^FROM_SESSION=2$/m);
    expect(words).toContain(`PWD=${join(root, "cwd")}`);
    expect(words).not.toContain("secret");
  });

  it("makes it the leader of a session of its own, so that Ctrl-C in the server's terminal does not reach it", async () => {
    const kernel = await launch("forever");
    const fields = (await readFile(`/proc/${kernel.pid}/stat`, "utf8")).replace(/^.*\) /, "").split(" ");
    const [, , group, session] = fields;
    expect([group, session]).toEqual([String(kernel.pid), String(kernel.pid)]);
  });

  it("tells what the kernelspec says: language and how to interrupt", async () => {
    const kernel = await launch("forever", { spec: { language: "R", interrupt_mode: "message" } });
    expect(kernel).toMatchObject({ language: "r", interruptMode: "message" });
  });

  it("fails by one sentence where the program does not exist, and leaves no files", async () => {
    const spec = { argv: [join(root, "no-such-program"), "{connection_file}"] };
    await expect(launch("forever", { spec })).rejects.toMatchObject({
      code: "kernel_start_failed",
      message: expect.stringMatching(/^The kernel "forever" could not be started: ".*no-such-program" did not start/),
    });
    expect(await readdir(join(root, "run"))).toEqual([]);
  });

  it("says so where it is the directory that is missing", async () => {
    await rm(join(root, "cwd"), { recursive: true });
    await expect(launch("forever")).rejects.toMatchObject({ message: expect.stringMatching(/its directory .*cwd is gone/) });
  });

  it("refuses an unknown kernel", async () => {
    await expect(provisioner.launch(request("cobol"))).rejects.toMatchObject({ code: "unknown_kernel" });
  });

  it("refuses to launch once closed", async () => {
    await provisioner.close();
    await provisioner.close();
    await expect(launch("forever")).rejects.toMatchObject({ code: "shutting_down" });
    expect(await readdir(join(root, "run"))).toEqual([]);
  });
});

describe("the end of a kernel", () => {
  it("is told with its exit code, and ends what it left in its group", async () => {
    const kernel = await launch("leaves-child");
    expect(await kernel.exited).toEqual({ exitCode: 3, signal: null });
    const child = await written(kernel, /^child (\d+)$/m);
    await vi.waitFor(async () => expect(await isRunning(child)).toBe(false));
    await vi.waitFor(async () => expect(await readdir(join(root, "run"))).toEqual([]));
  });

  it("is told with its signal", async () => {
    const kernel = await launch("forever");
    expect(kernel.signal("SIGKILL")).toBe(true);
    expect(await kernel.exited).toEqual({ exitCode: null, signal: "SIGKILL" });
    expect(kernel.signal("SIGINT")).toBe(false);
  });

  it("leaves its last words", async () => {
    const kernel = await launch("fails-at-start");
    expect(await kernel.exited).toEqual({ exitCode: 1, signal: null });
    expect(await kernel.lastWords()).toBe("loading\nImportError: no module named wanted");
    expect(await kernel.lastWords(40)).toBe("ImportError: no module named wanted");
    expect((await stat(join(root, "logs/kernel.log"))).mode & 0o777).toBe(0o600);
  });

  it("has last words of its own where several kernels write to one log", async () => {
    const first = await launch("fails-at-start");
    await first.exited;
    const second = await launch("leaves-child");
    await second.exited;
    expect(await second.lastWords()).toMatch(/^child \d+$/);
    expect(await readFile(join(root, "logs/kernel.log"), "utf8")).toMatch(/^loading\n/);
  });
});

describe("terminating", () => {
  it("asks first: a kernel that heeds SIGTERM ends by it", async () => {
    const kernel = await launch("forever");
    await written(kernel, /^ready$/m);
    expect(await kernel.terminate()).toEqual({ exitCode: null, signal: "SIGTERM" });
    expect(await readdir(join(root, "run"))).toEqual([]);
  });

  it("kills a kernel that ignores SIGTERM, and its child that ignores it too", async () => {
    const kernel = await launch("stubborn");
    await written(kernel, /^ready$/m);
    const child = await written(kernel, /^child (\d+)$/m);
    expect(await kernel.terminate(100)).toEqual({ exitCode: null, signal: "SIGKILL" });
    await vi.waitFor(async () => expect(await isRunning(child)).toBe(false));
  });

  it("does not ask where there is no time for it", async () => {
    const kernel = await launch("forever");
    expect(await kernel.terminate(0)).toEqual({ exitCode: null, signal: "SIGKILL" });
  });

  it("removes sockets that a killed kernel leaves", async () => {
    const kernel = await launch("forever");
    for (const port of [1, 2, 3, 4, 5]) await writeFile(`${kernel.connection.ip}-${port}`, "");
    await kernel.terminate(0);
    expect(await readdir(join(root, "run"))).toEqual([]);
  });

  it("can be asked for again, during and after", async () => {
    const kernel = await launch("stubborn");
    await written(kernel, /^ready$/m);
    const exits = await Promise.all([kernel.terminate(100), kernel.terminate(0)]);
    expect(exits).toEqual([await kernel.exited, await kernel.terminate()]);
  });
});
