/** Real kernels as subprocesses: they answer, they end, and nothing of them stays. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KernelClient } from "../../../src/kernel/kernel-client.ts";
import { ZeromqTransport } from "../../../src/kernel/zeromq-transport.ts";
import type { KernelLaunchRequest, KernelProcess } from "../../../src/provision/provisioner.ts";
import { preparePython, type PythonEnvironment } from "../../../src/provision/python-environment.ts";
import { openRuntimeDirectory } from "../../../src/provision/runtime-directory.ts";
import { SubprocessProvisioner } from "../../../src/provision/subprocess-provisioner.ts";
import { testPython } from "../../helpers/python.ts";

const START_TIMEOUT_MS = 30_000;

let root: string;
let python: PythonEnvironment;
let runtimeDirectory: string;
let open: { process: KernelProcess; client: KernelClient }[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tw-provision-"));
  await mkdir(join(root, "cwd"));
  python = await preparePython({ python: testPython() });
  runtimeDirectory = await openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: root } });
  open = [];
  await installSpec("stock", { argv: ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], language: "python" });
});
afterEach(async () => {
  for (const { client, process } of open) {
    await process.terminate(0);
    client.close();
  }
  await rm(root, { recursive: true, force: true });
});

async function installSpec(name: string, spec: object): Promise<void> {
  await mkdir(join(root, "kernels", name), { recursive: true });
  await writeFile(join(root, "kernels", name, "kernel.json"), JSON.stringify(spec));
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, JUPYTER_PATH: root, IPYTHONDIR: join(root, "ipython"), TASKWEAVER_SERVER_API_KEY: "secret" };
}

function request(kernelName: string, env: Record<string, string> = {}): KernelLaunchRequest {
  return { kernelName, sessionId: "s", cwd: join(root, "cwd"), env, logFile: join(root, "kernel.log") };
}

/** Launches a kernel and waits until it answers. */
async function start(kernelName: string, options: { env?: Record<string, string>; transport?: "auto" | "tcp" } = {}) {
  const { env, transport = "auto" } = options;
  const provisioner = new SubprocessProvisioner({ python, runtimeDirectory, environment: environment(), transport });
  const kernel = await provisioner.launch(request(kernelName, env));
  const client = new KernelClient(new ZeromqTransport(kernel.connection), { key: kernel.connection.key });
  open.push({ process: kernel, client });
  await client.open();
  await client.waitUntilReady(START_TIMEOUT_MS);
  return { kernel, run: (code: string) => run(client, code) };
}

/** Runs code; resolves with what it wrote to standard output. */
async function run(client: KernelClient, code: string): Promise<string> {
  let text = "";
  const execution = client.execute({
    code,
    onMessage: ({ header, content }) => {
      if (header.msg_type === "stream" && content["name"] === "stdout") text += String(content["text"]);
    },
  });
  await execution.done;
  return text;
}

async function isRunning(pid: string | number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "0 (gone) Z");
  return !/\) [ZX]/.test(status);
}

describe("our own kernel", () => {
  it("is python3, answers, and means its own environment where it calls python", async () => {
    await installSpec("python3", { argv: ["false"] });
    const { kernel, run: execute } = await start("python3");
    expect(kernel).toMatchObject({ language: "python", interruptMode: "signal" });
    const code =
      "import subprocess, sys\nprint(subprocess.run(['python', '-c', 'import sys; print(sys.prefix)'], capture_output=True, text=True).stdout)";
    expect((await execute(code)).trim()).toBe(python.prefix);
    await kernel.terminate();
    expect(await readdir(runtimeDirectory)).toEqual([]);
  });
});

describe("a stock ipykernel", () => {
  it.each(["auto", "tcp"] as const)("answers, in its directory, without the server's secrets (transport: %s)", async (transport) => {
    const { kernel, run: execute } = await start("stock", { env: { FROM_SESSION: "yes" }, transport });
    expect(kernel.connection.transport).toBe(transport === "auto" ? "ipc" : "tcp");
    const out = await execute(
      "import os; print(os.getcwd(), os.environ['FROM_SESSION'], 'TASKWEAVER_SERVER_API_KEY' in os.environ, os.getpid())",
    );
    expect(out.trim().split(" ")).toEqual([join(root, "cwd"), "yes", "False", String(kernel.pid)]);
  });

  it("keeps its sockets where only the user can go, and leaves none", async () => {
    const { kernel } = await start("stock");
    expect((await readdir(runtimeDirectory)).length).toBe(6);
    expect((await stat(runtimeDirectory)).mode & 0o777).toBe(0o700);
    await kernel.terminate();
    expect(await readdir(runtimeDirectory)).toEqual([]);
  });

  it.each([
    ["an exit code", "import os; os._exit(7)", { exitCode: 7, signal: null }],
    ["a signal", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", { exitCode: null, signal: "SIGSEGV" }],
  ])("is seen to die at once, with %s", async (_, code, exit) => {
    const { kernel, run: execute } = await start("stock");
    execute(code).catch(() => undefined);
    expect(await kernel.exited).toEqual(exit);
  });

  it("is interrupted by a signal to its group, with the process it waits for", async () => {
    const { kernel, run: execute } = await start("stock");
    const done = execute(
      "import subprocess\np = subprocess.Popen(['sleep', '600'])\nopen('child', 'w').write(str(p.pid))\ntry:\n  p.wait()\nexcept KeyboardInterrupt:\n  print('interrupted')",
    );
    const child = await vi.waitFor(async () => {
      const text = await readFile(join(root, "cwd/child"), "utf8");
      if (text === "") throw new Error("not written yet");
      return text;
    }, 5000);
    expect(kernel.signal("SIGINT")).toBe(true);
    expect(await done).toBe("interrupted\n");
    await vi.waitFor(async () => expect(await isRunning(child)).toBe(false));
  });

  it("ends with its children, also where they and it ignore SIGTERM", async () => {
    const { kernel, run: execute } = await start("stock");
    const code = "import signal, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(subprocess.Popen(['sleep', '600']).pid)";
    const child = (await execute(code)).trim();
    expect(await isRunning(child)).toBe(true);
    expect(await kernel.terminate(200)).toEqual({ exitCode: null, signal: "SIGKILL" });
    await vi.waitFor(async () => expect(await isRunning(child)).toBe(false));
    expect(await readdir(runtimeDirectory)).toEqual([]);
  });

  it("ends by itself where its server is killed", async () => {
    const server = fork(join(import.meta.dirname, "doomed-server.mjs"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    try {
      server.send({ python, runtimeDirectory, environment: environment(), request: request("stock") });
      const [pid] = (await once(server, "message")) as [number];
      expect(await isRunning(pid)).toBe(true);
      server.kill("SIGKILL");
      await vi.waitFor(async () => expect(await isRunning(pid)).toBe(false), 15_000);
    } finally {
      server.kill("SIGKILL");
    }
  });
});

it("runs a kernel of another language", async () => {
  await installSpec("bash", { argv: ["python", "-m", "bash_kernel", "-f", "{connection_file}"], language: "bash", env: { PS1: "$" } });
  const { kernel, run: execute } = await start("bash", { env: { GREETING: "hello" } });
  expect(kernel.language).toBe("bash");
  expect(await execute('echo "$GREETING from $(basename "$PWD")"')).toBe("hello from cwd\n");
  await kernel.terminate();
  expect(await readdir(runtimeDirectory)).toEqual([]);
});

describe("a kernel that fails at start", () => {
  it("leaves Python's own words", async () => {
    await installSpec("failing", { argv: ["python", "-m", "no_such_module", "-f", "{connection_file}"] });
    const provisioner = new SubprocessProvisioner({ python, runtimeDirectory, environment: environment() });
    const kernel = await provisioner.launch(request("failing"));
    expect(await kernel.exited).toEqual({ exitCode: 1, signal: null });
    expect(await kernel.lastWords()).toMatch(/No module named no_such_module$/);
  });

  it("is refused where no such kernel is installed, with the names there are", async () => {
    const provisioner = new SubprocessProvisioner({ python, runtimeDirectory, environment: environment() });
    await expect(provisioner.launch(request("cobol"))).rejects.toMatchObject({
      code: "unknown_kernel",
      message: expect.stringMatching(/there are: python3, .*stock/),
    });
  });
});
