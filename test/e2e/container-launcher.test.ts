/** Container mode as a client uses it: a real engine, the image of Dockerfile.executor, and the server in it. */
import { spawn, type ChildProcess } from "node:child_process";
import { chown, mkdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { containerName } from "../../src/launcher/container-arguments.ts";
import { knownContainerKey } from "../../src/launcher/container-key.ts";
import type { ClientSettings } from "../../src/config.ts";
import { ContainerLauncher, ExecutionService } from "../../src/launcher/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { docker, missingForContainers, useContainerImage } from "../helpers/container-image.ts";
import { containerSettings, openContainer, type ContainerService } from "../helpers/container-service.ts";

const CLI = join(PACKAGE_ROOT, "dist/cli/main.js");
const QUICKLY = { timeout: 20_000, interval: 20 };

describe("a server in a container", () => {
  useContainerImage();

  describe("launched with the defaults", () => {
    let launched: ContainerService;
    beforeAll(async () => {
      if (missingForContainers === undefined) launched = await openContainer();
    });
    afterAll(() => launched?.close());

    it("runs code, streams its output and gives out its figures", async () => {
      const { client } = launched.service;
      await client.start("figures");
      const output: string[] = [];
      const result = await client.executeCode("figures", 'print("a", flush=True)\nplt.plot([1, 2])\nplt.show()\n6 * 7', {
        onStdout: (text) => void output.push(text),
      });
      expect(result).toMatchObject({ is_success: true, output: 42 });
      expect(output.join("")).toBe("a\n");
      const [figure] = result.artifact;
      const download = await client.downloadArtifact("figures", figure!.file_name);
      expect((await download.bytes()).subarray(1, 4)).toEqual(new TextEncoder().encode("PNG"));
    });

    it("says which image it starts", () => {
      expect(launched.progress).toContain("Starting the server in a container (taskweaver-executor:latest)");
      expect(launched.progress[0]).toMatch(/^Using the local image taskweaver-executor:latest/);
    });

    it("asks everybody for the key, which is the client's own making", async () => {
      const bare = new ExecutionClient({ url: launched.settings.url });
      await expect(bare.listSessions()).rejects.toMatchObject({ code: "unauthorized", statusCode: 401 });
      const wrong = new ExecutionClient({ url: launched.settings.url, apiKey: "guessed" });
      await expect(wrong.listSessions()).rejects.toMatchObject({ code: "unauthorized", statusCode: 401 });
      const key = await knownContainerKey(launched.settings);
      expect(key).toMatch(/^[\w-]{32}$/);
      await expect(new ExecutionClient({ url: launched.settings.url, apiKey: key! }).listSessions()).resolves.toBeInstanceOf(Array);
    });

    it("is found by a second client of the project, and refused to one with another key", async () => {
      const second = await ExecutionService.open(launched.settings);
      try {
        expect(second.isStarted).toBe(false);
      } finally {
        await second.close();
      }
      await expect(ExecutionService.open({ ...launched.settings, apiKey: "guessed" })).rejects.toThrow(/refuses the API key/);
    });

    it("is reachable on loopback only", async () => {
      const bindings = JSON.parse(await docker("inspect", "--format", "{{json .HostConfig.PortBindings}}", launched.name));
      expect(bindings).toEqual({ "8000/tcp": [{ HostIp: "127.0.0.1", HostPort: String(launched.settings.port) }] });
    });

    it("has no capabilities, gains no privileges, and cannot write to its root file system", async () => {
      const code = [
        "import os, subprocess",
        "status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)",
        "print(status['CapEff'], status['CapBnd'], status['NoNewPrivs'], status['Seccomp'])",
        "for folder in ['/', '/app', '/etc', '/opt/python', '/usr/local/bin']:",
        "    try:",
        "        open(folder + '/written', 'w')",
        "    except OSError:",
        "        print(folder, os.statvfs(folder).f_flag & os.ST_RDONLY)",
      ].join("\n");
      await launched.service.client.start("walls");
      const { stdout, error } = await launched.service.client.executeCode("walls", code);
      expect(error).toBeNull();
      expect(stdout.join("").trim().split("\n")).toEqual([
        "0000000000000000 0000000000000000 1 2",
        ...["/", "/app", "/etc", "/opt/python", "/usr/local/bin"].map((folder) => `${folder} 1`),
      ]);
    });

    it("has limits for processes and memory", async () => {
      const limits = await docker(
        "inspect",
        "--format",
        "{{.HostConfig.PidsLimit}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}",
        launched.name,
      );
      const total = Number(await docker("info", "--format", "{{.MemTotal}}"));
      expect(limits).toBe(`1024 ${Math.floor(total * 0.75)} ${Math.floor(total * 0.75)}`);
    });

    it("keeps the key out of what code can read of its own", async () => {
      const key = await knownContainerKey(launched.settings);
      await launched.service.client.start("secrets");
      const { stdout } = await launched.service.client.executeCode("secrets", "import os; print(os.environ)");
      expect(stdout.join("")).not.toContain(key);
    });
  });

  it("writes files that belong to the user, and works for one whom the image does not know", async () => {
    const { settings, close } = await containerSettings();
    const [uid, gid] = [12_345, (await stat("/var/run/docker.sock")).gid];
    const home = join(settings.workDir, "..", "home");
    try {
      await mkdir(home);
      await chown(home, uid, gid);
      await mkdir(settings.workDir);
      await chown(settings.workDir, uid, gid);
      await chown(join(settings.workDir, ".."), uid, gid);
      const code =
        "import os, pathlib; pathlib.Path('made.txt').write_text('x'); plt.plot([1]); plt.show(); print(os.getuid(), os.environ['HOME'])";

      const environment = { PATH: process.env["PATH"], HOME: home, TASKWEAVER_SERVER_UNUSED_GRACE: "1", ...asVariables(settings) };
      const ran = await runCommand(["run", "-c", code, "--output-dir", home], { uid, gid, cwd: home, env: environment });
      expect(ran).toMatchObject({
        exitCode: 0,
        stderr: expect.any(String),
        stdout: expect.stringMatching(new RegExp(`^${uid} /app/workspace/sessions/.*/tmp$`, "m")),
      });
      const sessions = join(settings.workDir, "sessions");
      const listed = await docker(
        "run",
        "--rm",
        "--entrypoint",
        "find",
        "-v",
        `${sessions}:/sessions`,
        "taskweaver-executor:latest",
        "/sessions",
        "-name",
        "made.txt",
        "-printf",
        "%U:%G",
      );
      expect(listed).toBe(`${uid}:${gid}`);
      await gone(containerName(settings));
    } finally {
      await close();
    }
  });

  it("takes the settings of the project's file, but not the file", async () => {
    const { settings, close } = await containerSettings();
    const project = join(settings.workDir, "..");
    await writeFile(
      join(project, "taskweaver_config.json"),
      JSON.stringify({ "execution.server.env_id": "from-the-file", "llm.api_key": "secret-of-another" }),
    );
    const launcher = new ContainerLauncher({ unusedGraceSeconds: 30, environment: { ...process.env, PLUGIN_sql_DSN: "db" } });
    const service = await ExecutionService.open({ ...settings, projectDirectory: project }, { launcher });
    try {
      const environment = await docker("inspect", "--format", "{{json .Config.Env}}", containerName(settings));
      expect(JSON.parse(environment)).toEqual(expect.arrayContaining(["TASKWEAVER_ENV_ID=from-the-file", "PLUGIN_sql_DSN=db"]));
      expect(environment).not.toContain("secret-of-another");
    } finally {
      await service.close();
      await close();
    }
  });

  it("ends, and leaves no container, when nobody uses it any more", async () => {
    const { settings, close } = await containerSettings();
    try {
      const service = await ExecutionService.open(settings, { launcher: new ContainerLauncher({ unusedGraceSeconds: 1 }) });
      expect(await docker("ps", "--quiet", "--filter", `name=${containerName(settings)}`)).not.toBe("");
      await service.close();
      await gone(containerName(settings));
    } finally {
      await close();
    }
  });

  it("leaves no container when it is terminated", async () => {
    const { settings, close } = await containerSettings();
    try {
      const server = await new ContainerLauncher().launch({ settings, onProgress: () => undefined });
      await server.terminate();
      await server.terminate();
      expect(await exists(containerName(settings))).toBe(false);
    } finally {
      await close();
    }
  });

  it("is started anew after the engine's user has killed it", async () => {
    const launched = await openContainer();
    try {
      await launched.service.client.start("first");
      await docker("kill", launched.name);
      await gone(launched.name);
      const next = await ExecutionService.open(launched.settings, { launcher: new ContainerLauncher({ unusedGraceSeconds: 30 }) });
      expect(next.isStarted).toBe(true);
      await next.close();
    } finally {
      await launched.close();
    }
  });

  it.each([
    ["before the engine is asked", () => Promise.resolve()],
    ["while the engine makes the container", (_settings: ClientSettings, client: ChildProcess) => said(client, /Starting the server/)],
    [
      "when the container is there",
      async (settings: ClientSettings) => {
        await expect.poll(() => exists(containerName(settings)), QUICKLY).toBe(true);
      },
    ],
    [
      "when the server answers",
      async ({ url }: ClientSettings) => {
        await expect.poll(() => new ExecutionClient({ url }).health({ timeoutMs: 1_000 }).catch(() => null), QUICKLY).not.toBeNull();
      },
    ],
  ])("can be had after a client was killed %s", async (_when, moment) => {
    const { settings, close } = await containerSettings();
    try {
      const environment = { ...process.env, ...asVariables(settings) };
      const client = spawn(process.execPath, [CLI, "run", "-c", "1"], { stdio: ["ignore", "ignore", "pipe"], env: environment });
      await moment(settings, client);
      client.kill("SIGKILL");
      const service = await ExecutionService.open(settings, { launcher: new ContainerLauncher({ unusedGraceSeconds: 30 }) });
      await expect(service.client.listSessions()).resolves.toBeInstanceOf(Array);
      await service.close();
    } finally {
      await close();
    }
  });

  it("is one for two clients that start at once", async () => {
    const { settings, close } = await containerSettings();
    try {
      const options = () => ({ launcher: new ContainerLauncher({ unusedGraceSeconds: 30 }) });
      const services = await Promise.all([ExecutionService.open(settings, options()), ExecutionService.open(settings, options())]);
      expect(services.filter((service) => service.isStarted)).toHaveLength(1);
      await Promise.all(services.map((service) => service.close()));
    } finally {
      await close();
    }
  });

  describe("that cannot be started", () => {
    it("refuses an image that is not ours", async () => {
      const opened = openContainer({ container_image: "taskweaver-base:python" });
      await expect(opened).rejects.toThrow(/The image taskweaver-base:python is no execution server .*build one from Dockerfile.executor/);
    });

    it("says how to build an image that is nowhere", async () => {
      const opened = openContainer({ container_image: "localhost:1/nobody/nothing:1" });
      await expect(opened).rejects.toThrow(/could not be pulled .*docker build -f Dockerfile.executor -t taskweaver-executor:latest \./);
    });

    it("names the port that is taken", async () => {
      const stranger = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
      await new Promise((resolve) => stranger.once("listening", resolve));
      const { port } = stranger.address() as { port: number };
      try {
        await expect(openContainer({ port })).rejects.toThrow(
          `Port ${port} on 127.0.0.1 is in use: choose another with execution.server.port (--port).`,
        );
      } finally {
        stranger.close();
      }
    });

    it("says that the engine gives out no GPUs", async () => {
      await expect(openContainer({ container_gpus: "all" })).rejects.toThrow(/gives out no GPUs .*execution.server.container_gpus/);
    });

    it.each([
      { container_memory: "lots", sentence: /execution.server.container_memory \(lots\) is no limit/ },
      { container_memory: "1k", sentence: /execution.server.container_memory \(1k\) is no limit/ },
      { container_cpus: 4096, sentence: /execution.server.container_cpus \(4096\) is no limit/ },
      { host: "192.0.2.1", sentence: /192.0.2.1 is not its loopback/ },
    ])("names the setting that does not fit: $sentence", async ({ sentence, ...flags }) => {
      await expect(openContainer(flags)).rejects.toThrow(sentence);
    });

    it("shows the last words of a server that ends at once", async () => {
      const environment = { ...process.env, TASKWEAVER_SERVER_MAX_SESSIONS: "many" };
      await expect(openContainer({}, environment)).rejects.toThrow(
        /could not be started.*TASKWEAVER_SERVER_MAX_SESSIONS must be a whole number/s,
      );
    });

    it("says what mends an engine that is not there", async () => {
      const { ContainerEngine } = await import("../../src/launcher/container-engine.ts");
      const { settings, close } = await containerSettings();
      try {
        const launch = (engine: InstanceType<typeof ContainerEngine>) =>
          new ContainerLauncher({ engine }).launch({ settings, onProgress: () => undefined });
        await expect(launch(new ContainerEngine("docker-that-is-not-there"))).rejects.toThrow(/there is no `docker` command/);
        const silent = new ContainerEngine("docker", { ...process.env, DOCKER_HOST: "unix:///nowhere.sock" });
        await expect(launch(silent)).rejects.toThrow(/The container engine does not answer/);
      } finally {
        await close();
      }
    });
  });

  it("is not mistaken for a server that runs outside of a container", async () => {
    const { settings, close } = await containerSettings();
    const { startServer } = await import("../../src/server.ts");
    const { resolveServerSettings } = await import("../../src/config.ts");
    const { testPython } = await import("../helpers/python.ts");
    const flags = { port: settings.port, work_dir: settings.workDir, python: testPython(), log_level: "silent" };
    const outside = await startServer(resolveServerSettings(flags, {}, null));
    try {
      await expect(ExecutionService.open(settings)).rejects.toThrow(/is served by a server that is not in a container/);
    } finally {
      await outside.close();
      await close();
    }
  });
});

/** The settings for a client in a process of its own. */
function asVariables({ port, workDir }: ClientSettings): Record<string, string> {
  return { TASKWEAVER_SERVER_CONTAINER: "true", TASKWEAVER_SERVER_PORT: String(port), TASKWEAVER_SERVER_WORK_DIR: workDir };
}

/** Waits until a client has told its user something. */
function said(client: ChildProcess, pattern: RegExp): Promise<void> {
  return new Promise((resolve) => {
    let text = "";
    client.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (pattern.test(text)) resolve();
    });
  });
}

async function exists(name: string): Promise<boolean> {
  return (await docker("ps", "--all", "--quiet", "--filter", `name=${name}`)) !== "";
}

/** Waits until the engine has removed a container. */
async function gone(name: string): Promise<void> {
  await expect.poll(() => exists(name), { timeout: 20_000, interval: 100 }).toBe(false);
}

/** Runs our command to its end. */
async function runCommand(args: string[], options: { uid: number; gid: number; cwd: string; env: NodeJS.ProcessEnv }) {
  const child = spawn(process.execPath, [CLI, ...args], options);
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const chunks: string[] = [];
    stream.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
    return chunks;
  });
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  return { exitCode, stdout: stdout!.join(""), stderr: stderr!.join("") };
}
