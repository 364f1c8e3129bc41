/** The image by itself: the documented commands as they stand, and the entrypoint under every kind of user. */
import { execFile, type ExecFileException } from "node:child_process";
import { chown, cp, mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { BASE_ARGUMENTS, docker, IMAGE, useContainerImage } from "../helpers/container-image.ts";
import { freePort } from "../helpers/server-process.ts";

const KEY = "your-secret-key";
const HEALTHY = { timeout: 60_000, interval: 100 };

describe("the image", () => {
  useContainerImage();

  let folder: string;
  let port: number;
  let containers: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "taskweaver-image-"));
    port = await freePort();
    containers = [];
  });
  afterEach(async () => {
    if (containers.length > 0) await docker("rm", "--force", "--volumes", ...containers);
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a command of the documentation in a shell, in the test's folder, with the test's port. */
  const shell = (command: string, cwd = folder) =>
    run("bash", ["-euc", command.replace("8000:8000", `${port}:8000`)], { cwd, env: { ...process.env, EXECUTOR_PORT: String(port) } });
  const startByHand = async (...args: string[]) => {
    const id = await docker("run", "-d", "-p", `127.0.0.1:${port}:8000`, "-v", `${folder}/workspace:/app/workspace`, ...args);
    containers.push(id);
    return id;
  };
  // The engine takes connections before the server does, and may leave them hanging: short tries.
  const clientOf = async (apiKey = KEY) => {
    const client = new ExecutionClient({ url: `http://localhost:${port}`, apiKey });
    await expect
      .poll(
        () =>
          client
            .health({ timeoutMs: 1_000 })
            .then(({ status }) => status)
            .catch(() => "none"),
        HEALTHY,
      )
      .toBe("healthy");
    return client;
  };
  const isOf = async (path: string) => {
    const { uid, gid } = await stat(join(folder, path));
    return `${uid}:${gid}`;
  };

  it("is built by the documented command", async () => {
    const [command] = await commandsOf("docker build");
    expect(command).toBe("docker build -f Dockerfile.executor -t taskweaver-executor:latest .");
    // The default base images cannot be had everywhere: local ones stand in for those that are not here.
    const defaults = { BASE_IMAGE: "python:3.12-slim", NODE_IMAGE: "node:22-slim" };
    const borrowed: string[] = [];
    try {
      for (const argument of ["BASE_IMAGE", "NODE_IMAGE"] as const) {
        if (
          await docker("image", "inspect", defaults[argument])
            .then(() => true)
            .catch(() => false)
        )
          continue;
        await docker("tag", BASE_ARGUMENTS[argument], defaults[argument]);
        borrowed.push(defaults[argument]);
      }
      const { stdout, stderr } = await shell(command!, PACKAGE_ROOT);
      expect(stdout + stderr).toMatch(
        /Successfully tagged taskweaver-executor:latest|naming to docker.io\/library\/taskweaver-executor:latest/,
      );
    } finally {
      if (borrowed.length > 0) await docker("rmi", "--no-prune", ...borrowed);
    }
  });

  it("is run by the documented command from an empty folder, whose workspace the engine makes as root", async () => {
    const [command] = await commandsOf("docker run -d \\\n    -p 8000:8000");
    const { stdout } = await shell(command!);
    containers.push(stdout.trim());
    const client = await clientOf();
    await using session = await client.start("my-session");
    expect(await session.executeCode("import os; open('made.txt', 'w').close(); [os.getuid(), os.getcwd()]")).toMatchObject({
      output: [1000, "/app/workspace/sessions/my-session/cwd"],
    });
    expect(await isOf("workspace")).toBe("1000:1000");
    expect(await isOf("workspace/sessions/my-session/cwd/made.txt")).toBe("1000:1000");
    const users = (await docker("top", stdout.trim(), "-eo", "pid,uid")).split("\n").slice(1);
    expect(new Set(users.map((line) => line.trim().split(/\s+/)[1]))).toEqual(new Set(["1000"]));
    // It could be made, and what is written there would be gone with the container.
    const elsewhere = await client.start("elsewhere", { cwd: "/tmp/of-the-client" });
    expect(elsewhere).toMatchObject({ cwd: "/app/workspace/sessions/elsewhere/cwd", cwdRequested: "/tmp/of-the-client" });
  });

  it("is run with all walls up by the documented command", async () => {
    const [command] = await commandsOf("mkdir -p workspace\ndocker run");
    const { stdout } = await shell(
      command!.replace("--user $(id -u):$(id -g)", "--user 4321:4321").replace("mkdir -p workspace", "install -d -o 4321 workspace"),
    );
    containers.push(stdout.trim());
    const client = await clientOf();
    await using session = await client.start("walls");
    const code =
      "open('made.txt', 'w').close(); plt.plot([1]); plt.show(); [line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'NoNewPrivs'))]";
    const result = await session.executeCode(code);
    expect(result).toMatchObject({ is_success: true, output: ["0000000000000000", "1"], artifact: [{ type: "image" }], stderr: [] });
    expect(await isOf("workspace/sessions/walls/cwd/made.txt")).toBe("4321:4321");
  });

  it("is started, followed and ended by the documented Compose commands", async () => {
    const commands = await Promise.all(["docker-compose up", "docker-compose logs", "docker-compose down"].map(commandsOf));
    expect(commands.flat()).toEqual(["docker-compose up -d executor", "docker-compose logs -f executor", "docker-compose down"]);
    await cp(join(PACKAGE_ROOT, "docker-compose.yml"), join(folder, "docker-compose.yml"));
    await shell("docker-compose up -d executor");
    try {
      const client = await clientOf((await madeKey()).trim());
      await expect(client.listSessions()).resolves.toEqual([]);
      await expect(new ExecutionClient({ url: client.url }).listSessions()).rejects.toMatchObject({ statusCode: 401 });
      expect((await shell("timeout 5 docker-compose logs -f executor || [ $? = 124 ]")).stdout).toContain('"listening"');
      const id = (await shell("docker-compose ps -q executor")).stdout.trim();
      await expect.poll(() => docker("inspect", "--format", "{{.State.Health.Status}}", id), HEALTHY).toBe("healthy");
      const settings = await docker(
        "inspect",
        "--format",
        "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.PidsLimit}} {{.Config.StopTimeout}}",
        id,
      );
      expect(settings).toBe("true 1024 30");
    } finally {
      await shell("docker-compose down");
    }
    expect(await docker("ps", "--all", "--quiet", "--filter", `volume=${folder}/workspace`)).toBe("");
  });

  it("has a GPU profile, which says what is missing where there is none", async () => {
    await cp(join(PACKAGE_ROOT, "docker-compose.yml"), join(folder, "docker-compose.yml"));
    try {
      const { stdout, stderr } = await shell("docker-compose --profile gpu up -d executor-gpu || true");
      const hasGpu = (await docker("info", "--format", "{{json .Runtimes}}")).includes("nvidia");
      expect(stdout + stderr).toMatch(hasGpu ? /executor-gpu/ : /could not select device driver "nvidia"/);
    } finally {
      await shell("docker-compose --profile gpu down");
    }
  });

  it("runs as the owner of a folder that somebody made", async () => {
    await mkdir(join(folder, "workspace"));
    await chown(join(folder, "workspace"), 2345, 3456);
    await startByHand("-e", `TASKWEAVER_SERVER_API_KEY=${KEY}`, IMAGE);
    const client = await clientOf();
    await using session = await client.start("owned");
    expect(await session.executeCode("import os; open('made.txt', 'w').close(); [os.getuid(), os.getgid(), os.getgroups()]")).toMatchObject(
      { output: [2345, 3456, []] },
    );
    expect(await isOf("workspace/sessions/owned/cwd/made.txt")).toBe("2345:3456");
  });

  it("keeps its files in a volume of the engine's", async () => {
    const id = await docker(
      "run",
      "-d",
      "-p",
      `127.0.0.1:${port}:8000`,
      "--mount",
      "type=volume,target=/app/workspace",
      "-e",
      `TASKWEAVER_SERVER_API_KEY=${KEY}`,
      IMAGE,
    );
    containers.push(id);
    const client = await clientOf();
    await using session = await client.start("volume");
    expect(await session.executeCode("import os; os.getuid()")).toMatchObject({ output: 1000 });
  });

  it("ends at once when it is told to, and takes in what kernels leave behind", async () => {
    const id = await startByHand("-e", `TASKWEAVER_SERVER_API_KEY=${KEY}`, IMAGE);
    const client = await clientOf();
    const session = await client.start("orphans");
    // A grandchild whose parent has ended belongs to the first process.
    const code = "import subprocess; subprocess.run(['sh', '-c', '(sleep 0.05; exit 3) & (sleep 0.05; exit 4) &'])";
    await session.executeCode(code);
    await expect.poll(() => docker("top", id, "-eo", "pid,stat,args"), { timeout: 10_000 }).not.toMatch(/sleep|defunct/);
    const startedAt = performance.now();
    await docker("stop", id);
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    expect(await docker("inspect", "--format", "{{.State.ExitCode}}", id)).toBe("0");
  });

  it("runs other commands, as the same user", async () => {
    expect(await docker("run", "--rm", IMAGE, "python", "-c", "import os, pandas; print(os.getuid(), os.environ['HOME'])")).toBe(
      "1000 /home/taskweaver",
    );
    expect(await docker("run", "--rm", "--init", IMAGE, "taskweaver", "--version")).toBe(
      JSON.parse(await readFile(join(PACKAGE_ROOT, "package.json"), "utf8")).version,
    );
  });

  it.each([
    [
      "that may not write to the folder",
      ["--user", "4321:4321"],
      /The user 4321:4321 may not write to \/app\/workspace, which belongs to 0:0: .*--user/,
    ],
    ["without a temporary folder", ["--read-only"], /\/tmp is not writable: add --tmpfs \/tmp/],
  ])("says what to do for a user %s", async (_whom, args, sentence) => {
    await mkdir(join(folder, "workspace"));
    const failed = docker("run", "--rm", "-v", `${folder}/workspace:/app/workspace`, ...args, IMAGE);
    await expect(failed).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(sentence) });
  });

  it("says that it stays root where it may not become another", async () => {
    const id = await startByHand("--cap-drop", "ALL", "-e", `TASKWEAVER_SERVER_API_KEY=${KEY}`, IMAGE);
    const client = await clientOf();
    await expect(client.listSessions()).resolves.toEqual([]);
    const logs = await run("docker", ["logs", id], {});
    expect(logs.stderr).toContain("name a user: docker run --user UID:GID");
  });

  it("is not large, and holds no tests, no compilers and no keys of the build", async () => {
    const sizeBytes = Number(await docker("image", "inspect", "--format", "{{.Size}}", IMAGE));
    expect(sizeBytes).toBeLessThan(800e6);
    const listed = await docker("run", "--rm", IMAGE, "sh", "-c", "ls -a /app /app/node_modules /app/python");
    expect(listed).not.toMatch(/\b(src|test|tests|typescript|vitest|\.npmrc)\b/);
  });

  /** The key that a server without one has made. */
  async function madeKey(): Promise<string> {
    const file = join(folder, "workspace/api-key");
    await expect.poll(() => readFile(file, "utf8").catch(() => ""), HEALTHY).not.toBe("");
    return readFile(file, "utf8");
  }
});

/** The commands of docs/container.md that begin so, as they stand there. */
async function commandsOf(beginning: string): Promise<string[]> {
  const page = await readFile(join(PACKAGE_ROOT, "docs/container.md"), "utf8");
  return [...page.matchAll(/```bash\n(.*?)\n```/gs)].map(([, block]) => block!).filter((block) => block.startsWith(beginning));
}

/** Runs a program to its end; a failure carries its exit code and what it wrote. */
function run(
  program: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv },
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { maxBuffer: 64 * 1024 * 1024, ...options }, (error: ExecFileException | null, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr });
      else reject(Object.assign(new Error(`${program} failed: ${stderr}`), { code: error.code, stdout, stderr }));
    });
  });
}
