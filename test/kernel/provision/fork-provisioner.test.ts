/** Forked kernels on a real template: what a fork must not share is new, and kernels, template and server fail apart. */
import { mkdir, mkdtemp, rm, stat, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KernelClient } from "../../../src/kernel/kernel-client.ts";
import { ZeromqTransport } from "../../../src/kernel/zeromq-transport.ts";
import { ForkProvisioner } from "../../../src/provision/fork-provisioner.ts";
import type { KernelProcess } from "../../../src/provision/provisioner.ts";
import { preparePython, type PythonEnvironment } from "../../../src/provision/python-environment.ts";
import { openRuntimeDirectory } from "../../../src/provision/runtime-directory.ts";
import { SubprocessProvisioner } from "../../../src/provision/subprocess-provisioner.ts";
import { testPython } from "../../helpers/python.ts";

const START_TIMEOUT_MS = 60_000;

/** More than other tests fork. */
const MAX_FORKS = 3;

let root: string;
let python: PythonEnvironment;
let provisioner: ForkProvisioner;
let open: { process: KernelProcess; client: KernelClient }[];
const onNewTemplate = vi.fn();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "tw-fork-"));
  await mkdir(join(root, "cwd"));
  python = await preparePython({ python: testPython() });
  const runtimeDirectory = await openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: root } });
  onNewTemplate.mockReset();
  provisioner = new ForkProvisioner({
    python,
    runtimeDirectory,
    logFile: join(root, "template.log"),
    preload: [],
    maxForks: MAX_FORKS,
    startTimeoutMs: START_TIMEOUT_MS,
    fallback: new SubprocessProvisioner({ python, runtimeDirectory }),
    logger: pino({ level: "silent" }),
    onNewTemplate,
  });
  open = [];
});
afterEach(async () => {
  for (const { client, process } of open) {
    await process.terminate(0);
    client.close();
  }
  await provisioner.close();
  await rm(root, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}) {
  const kernel = await provisioner.launch({
    kernelName: "python3",
    sessionId: "s",
    cwd: join(root, "cwd"),
    env,
    logFile: join(root, "kernel.log"),
  });
  const client = new KernelClient(new ZeromqTransport(kernel.connection), { key: kernel.connection.key });
  open.push({ process: kernel, client });
  await client.open();
  await client.waitUntilReady(START_TIMEOUT_MS);
  return { kernel, run: (code: string) => run(client, code) };
}

async function run(client: KernelClient, code: string): Promise<string> {
  let text = "";
  const onMessage = ({ header, content }: { header: { msg_type: string }; content: Record<string, unknown> }) => {
    if (header.msg_type === "stream") text += String(content["text"]);
    if (header.msg_type === "error") text += String(content["evalue"]);
  };
  await client.execute({ code, onMessage }).done;
  return text.trim();
}

async function parentOf(kernel: { run: (code: string) => Promise<string> }): Promise<number> {
  return Number(await kernel.run("import os; print(os.getppid())"));
}

describe("a forked kernel", () => {
  it("has its own process group, directory, environment and standard input", async () => {
    const kernel = await start({ COLOUR: "green" });
    expect(await kernel.run("import os; print(os.getpgrp() == os.getpid() == os.getsid(0))")).toBe("True");
    expect(await kernel.run("print(os.getcwd())")).toBe(join(root, "cwd"));
    expect(await kernel.run("print(os.environ['COLOUR'], 'TASKWEAVER_SERVER_API_KEY' in os.environ)")).toBe("green False");
    expect(await kernel.run("print(os.readlink('/proc/self/fd/0'))")).toBe("/dev/null");
    expect(await kernel.run("print(oct(os.umask(0o022)))")).toBe("0o22");
  });

  it("draws other random numbers, ids and keys than its siblings", async () => {
    const code = [
      "import random, uuid, tempfile, secrets, multiprocessing, numpy",
      "print(random.random(), numpy.random.rand(), numpy.random.default_rng().random(), uuid.uuid4(), uuid.uuid1(), secrets.token_hex(4),",
      "      next(tempfile._get_candidate_names()), multiprocessing.current_process().authkey.hex(), get_ipython().kernel.session.session)",
    ].join("\n");
    const [one, other] = await Promise.all([start(), start()]);
    const values = (await one.run(code)).split(" ");
    const others = (await other.run(code)).split(" ");
    expect(values).toHaveLength(9);
    for (const [index, value] of values.entries()) expect(value).not.toBe(others[index]);
  });

  it("is told apart in how it ends: by an exit code, by a signal", async () => {
    const [one, other] = await Promise.all([start(), start()]);
    void one.run("import os; os._exit(7)").catch(() => undefined);
    expect(await one.kernel.exited).toEqual({ exitCode: 7, signal: null });
    other.kernel.signal("SIGKILL");
    expect(await other.kernel.exited).toEqual({ exitCode: null, signal: "SIGKILL" });
  });

  it("leaves no socket behind", async () => {
    const { kernel } = await start();
    await kernel.terminate(0);
    await expect(stat(`${kernel.connection.ip}-1`)).rejects.toThrow(/ENOENT/);
  });
});

describe("a session whose environment is read at a program's start", () => {
  it("is spawned, since a fork would come too late", async () => {
    const seeded = { PYTHONHASHSEED: "42" };
    const [one, other] = [await start(seeded), await start(seeded)];
    const code = "print(hash('taskweaver'))";
    expect(await one.run(code)).toBe(await other.run(code));
    expect(await parentOf(one)).toBe(process.pid);
  });
});

describe("a template", () => {
  it("that dies is replaced and takes no kernel with it", async () => {
    const before = await start();
    await before.run("answer = 42");
    const template = await parentOf(before);
    process.kill(template, "SIGKILL");
    const after = await start();
    expect(await parentOf(after)).not.toBe(template);
    expect(await before.run("print(answer)")).toBe("42");
    before.kernel.signal("SIGKILL");
    await before.kernel.exited;
  });

  it("is replaced when it has served its time, and its kernels live on", async () => {
    const kernels = [];
    const templates = new Set<number>();
    for (let count = 0; count < MAX_FORKS; count += 1) {
      const kernel = await start();
      kernels.push(kernel);
      templates.add(await parentOf(kernel));
    }
    expect(templates.size).toBe(1);
    expect(templates).not.toContain(await parentOf(await start()));
    expect(onNewTemplate).toHaveBeenCalledOnce();
    for (const kernel of kernels) expect(await kernel.run("print(1 + 1)")).toBe("2");
  });

  it("is made anew when packages were installed", async () => {
    const template = await parentOf(await start());
    const folder = `${python.prefix}/lib/python${python.version[0]}.${python.version[1]}/site-packages`;
    const { atime, mtime } = await stat(folder);
    try {
      await utimes(folder, atime, new Date(mtime.getTime() + 1000));
      expect(await parentOf(await start())).not.toBe(template);
      expect(onNewTemplate).toHaveBeenCalledOnce();
    } finally {
      await utimes(folder, atime, mtime);
    }
  });

  it("that cannot be started leaves the spawned kernel", async () => {
    const runtimeDirectory = await openRuntimeDirectory({ environment: { XDG_RUNTIME_DIR: root } });
    const fallback = new SubprocessProvisioner({ python, runtimeDirectory });
    await provisioner.close();
    provisioner = new ForkProvisioner({
      python,
      runtimeDirectory,
      logFile: join(root, "template.log"),
      preload: [],
      startTimeoutMs: 1,
      fallback,
      logger: pino({ level: "silent" }),
    });
    const kernel = await start();
    expect(await parentOf(kernel)).toBe(process.pid);
  });
});
