/** `taskweaver run`, as scripts and people use it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../helpers/container-service.ts";
import { runCli, startCli } from "./cli-process.ts";
import { startTestServer } from "./test-server.ts";

let folder: string;
/** Where no server is: each run has one of its own. */
let alone: Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "cli-run-"));
  alone = { TASKWEAVER_SERVER_PORT: String(await freePort()) };
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) => runCli(["run", ...args], { cwd: folder, env: alone });
const code = (source: string, ...args: string[]) => run("-c", source, ...args);

/** Whether a process of this id runs. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("output", () => {
  test("of the code and the last value go to standard output, errors to standard error", async () => {
    expect(await code("import sys\nprint('a')\nprint('b', file=sys.stderr)\n{'x': [1, None]}")).toEqual({
      exitCode: 0,
      stdout: "a\n{'x': [1, None]}\n",
      stderr: "b\n",
    });
  });

  test("comes while the code runs", async () => {
    const cli = startCli(["run", "-c", "import os, time\nprint('waiting', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)"], {
      cwd: folder,
      env: alone,
    });
    await cli.saw(/waiting\n/);
    writeFileSync(join(folder, "go"), "");
    expect(await cli.exited).toBe(0);
  });

  test("as JSON is the whole result", async () => {
    const { stdout } = await code("print('a')\n6 * 7", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ is_success: true, output: 42, stdout: ["a\n"], reason: "completed", saved: [] });
  });

  test("whose reader leaves ends the code, quietly", async () => {
    const cli = startCli(["run", "-c", "import os\nprint(os.getpid(), flush=True)\nwhile True: print('more')"], {
      cwd: folder,
      env: alone,
    });
    const [, pid] = await cli.saw(/^(\d+)\n/);
    cli.closeOutput();
    expect(await cli.exited).toBe(141);
    await expect.poll(() => isAlive(Number(pid))).toBe(false);
  });
});

describe("the code", () => {
  test("can be a file, and finds the files beside it", async () => {
    writeFileSync(join(folder, "data.csv"), "a,b\n1,2\n");
    writeFileSync(join(folder, "script.py"), "\uFEFFprint(pd.read_csv('data.csv').shape)\n");
    expect(await run("script.py")).toMatchObject({ exitCode: 0, stdout: "(1, 2)\n" });
  });

  test("can be standard input", async () => {
    expect(await runCli(["run", "-"], { cwd: folder, env: alone, input: "print('from a pipe')" })).toMatchObject({
      exitCode: 0,
      stdout: "from a pipe\n",
    });
  });

  test("can ask for input, which a pipe gives line by line", async () => {
    const given = await runCli(["run", "-c", "print(input('1 '), input('2 '), repr(input('3 ')))"], {
      cwd: folder,
      env: alone,
      input: "one\ntwo\n",
    });
    expect(given).toMatchObject({ exitCode: 0, stdout: "1 2 3 one two ''\n" });
  });

  test("can call plugins", async () => {
    writeFileSync(join(folder, "twice.yaml"), "name: twice\nconfigurations:\n  factor: 2\n");
    const source =
      "from taskweaver.plugin import Plugin, register_plugin\n@register_plugin\nclass Twice(Plugin):\n    def __call__(self, x): return x * self.config['factor']\n";
    writeFileSync(join(folder, "twice.py"), source);
    expect(await code("twice(21)", "--plugin", "twice.yaml")).toMatchObject({ exitCode: 0, stdout: "42\n" });
    writeFileSync(join(folder, "broken.py"), "raise RuntimeError('no good')");
    const broken = await code("1", "--plugin", "broken.py");
    expect(broken.exitCode).toBe(1);
    expect(broken.stderr).toContain("no good");
  });
});

describe("the exit code", () => {
  test.each([
    ["1 / 0", 1],
    ["import sys; sys.exit(3)", 3],
    ["import sys; sys.exit()", 0],
    ["raise SystemExit('message')", 1],
    ["import os; os._exit(5)", 1],
    ["syntax error", 1],
  ])("of %j is %i", async (source, exitCode) => {
    expect((await code(source)).exitCode).toBe(exitCode);
  });

  test("of code that takes too long is 1, and says so", async () => {
    const { exitCode, stderr } = await code("print('on', flush=True)\nwhile True: pass", "--timeout", "2");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("timed out");
  });

  test("after Ctrl-C is 130; the code is interrupted, and nothing is left", async () => {
    const source =
      "import os, time\ntry:\n    print(os.getpid(), flush=True)\n    while True: time.sleep(0.01)\nfinally:\n    print('cleaned up')";
    const cli = startCli(["run", "-c", source], { cwd: folder, env: alone });
    const [, pid] = await cli.saw(/^(\d+)\n/);
    cli.kill("SIGINT");
    expect(await cli.exited).toBe(130);
    expect(cli.stdout).toContain("cleaned up\n");
    await expect.poll(() => isAlive(Number(pid))).toBe(false);
  });

  test("a second Ctrl-C does not wait for code that will not end", async () => {
    const source =
      "import os, time\nwhile True:\n    try:\n        print(os.getpid(), flush=True)\n        while True: time.sleep(0.01)\n    except KeyboardInterrupt: print('no', flush=True)";
    const cli = startCli(["run", "-c", source], { cwd: folder, env: alone });
    const [, pid] = await cli.saw(/^(\d+)\n/);
    cli.kill("SIGINT");
    await cli.saw(/no\n/);
    cli.kill("SIGINT");
    expect(await cli.exited).toBe(130);
    await expect.poll(() => isAlive(Number(pid)), { timeout: 10_000 }).toBe(false);
  });
});

describe("artifacts", () => {
  const figure = "plt.plot([1, 2])\nplt.show()";

  test("are saved beside, named after the script, and overwrite nothing", async () => {
    writeFileSync(join(folder, "my plot.py"), figure);
    const first = await run("my plot.py");
    expect(first).toMatchObject({ exitCode: 0, stdout: "" });
    const name = "my-plot-display-1_image.png";
    expect(first.stderr).toBe(`saved ${join(folder, name)}\n`);
    expect(readFileSync(join(folder, name)).subarray(1, 4).toString()).toBe("PNG");
    await run("my plot.py");
    expect(readdirSync(folder).filter((file) => file.endsWith(".png"))).toHaveLength(2);
  });

  test("go to a folder that is named", async () => {
    await code(figure, "--output-dir", "plots/today");
    expect(readdirSync(join(folder, "plots/today"))).toEqual(["run-display-1_image.png"]);
    expect(readdirSync(folder)).toEqual(["plots"]);
  });
});

describe("a server that runs", () => {
  test("is used where it is named, with its key", async () => {
    await using server = await startTestServer({ apiKey: "the-key", requireKey: true });
    const used = await runCli(["run", "--url", server.url, "-c", "import os; os.getppid()"], {
      cwd: folder,
      env: { TASKWEAVER_SERVER_API_KEY: "the-key" },
    });
    // The kernel is a child of the test's own server.
    expect(used).toMatchObject({ exitCode: 0, stdout: `${process.pid}\n` });
    const refused = await runCli(["run", "--url", server.url, "-c", "1"], { cwd: folder, env: { TASKWEAVER_SERVER_API_KEY: "wrong" } });
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("refuses the API key");
    const { port } = new URL(server.url);
    const env = { TASKWEAVER_SERVER_API_KEY: "wrong", TASKWEAVER_SERVER_PORT: port };
    expect(await runCli(["run", "-c", "1"], { cwd: folder, env })).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: refused.stderr.replace(server.url, `http://localhost:${port}`),
    });
    expect(await server.client.listSessions()).toEqual([]);
  });

  test("elsewhere gives its artifacts by download", async () => {
    await using server = await startTestServer();
    // Without auto_start a URL is the user's own choice, and its files may be anywhere.
    writeFileSync(
      join(folder, "taskweaver_config.json"),
      JSON.stringify({ "execution.server.url": server.url, "execution.server.auto_start": false }),
    );
    const { exitCode } = await runCli(["run", "--output-dir", "out", "-c", "plt.plot([1])\nplt.show()"], { cwd: folder });
    expect(exitCode).toBe(0);
    expect(existsSync(join(folder, "out/run-display-1_image.png"))).toBe(true);
  });
});
