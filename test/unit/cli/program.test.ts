/** The command line: what it prints and the exit codes, without a server. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../../src/cli/program.ts";
import { readProjectPlugins } from "../../../src/cli/plugin-files.ts";
import { loadConfigFile, resolveServerSettings } from "../../../src/config.ts";
import { VERSION } from "../../../src/paths.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cli-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function run(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof written) =>
    new Writable({
      write: (chunk, _encoding, done) => {
        written[name] += String(chunk);
        done();
      },
    });
  const stdin = new PassThrough();
  stdin.end();
  const exitCode = await runCli(args, {
    stdin,
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env: {},
    cwd: folder,
    onSignal: () => () => undefined,
  });
  return { exitCode, ...written };
}

test("--version is the package's", async () => {
  expect(await run("--version")).toEqual({ exitCode: 0, stdout: `${VERSION}\n`, stderr: "" });
});

test("--help lists the commands", async () => {
  const { exitCode, stdout } = await run("--help");
  expect(exitCode).toBe(0);
  for (const command of ["run", "server", "sessions", "init", "doctor"]) expect(stdout).toMatch(new RegExp(`^  ${command}`, "m"));
});

test("the server's help has the document's options, and none that are not for people", async () => {
  const { stdout } = await run("server", "--help");
  for (const option of ["--host", "--port", "--work-dir", "--api-key", "--log-level", "--require-key", "--python"])
    expect(stdout).toContain(option);
  expect(stdout).not.toContain("exit-when-unused");
});

test.each([
  [["srever"], /There is no command "srever": did you mean server\?/],
  [["run", "--tiemout", "3", "-c", "1"], /unknown option '--tiemout'\n\(Did you mean --timeout\?\)/],
  [["server", "--prot", "1"], /unknown option '--prot'\n\(Did you mean --port\?\)/],
  [["server", "--port"], /argument missing/],
  [["server", "--port", "http"], /^taskweaver: --port must be a whole number from 0 to 65535, not "http"\.\n$/],
  [["server", "--log-level", "loud"], /--log-level must be one of trace, debug/],
  [["run"], /Name a file to run, or give the code with -c/],
  [["run", "a.py", "-c", "1"], /Name a file to run, or give the code with -c/],
  [["run", "nowhere.py"], /nowhere\.py cannot be read/],
  [["run", "-c", "1", "--plugin", "x.txt"], /x\.txt is no plugin/],
  [["run", "-c", "1", "--url", "localhost:8000"], /--url must be an http or https URL/],
  [["-p", "nowhere"], /There is no project folder .*nowhere: make one with `taskweaver init/],
  [["-p", "nowhere", "server"], /There is no project folder/],
  [["init"], /missing required argument 'dir'/],
])("%j is a usage error, in words", async (args, words) => {
  const { exitCode, stdout, stderr } = await run(...args);
  expect([exitCode, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(words);
  expect(stderr).not.toContain("    at ");
});

test("a server that cannot be reached is a fault in one sentence", async () => {
  const { exitCode, stderr } = await run("sessions", "--url", "http://127.0.0.1:2");
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^taskweaver: Nothing answers at http:\/\/127\.0\.0\.1:2: .*\n$/);
});

test("--debug shows where an error came from", async () => {
  expect((await run("sessions", "--url", "http://127.0.0.1:2", "--debug")).stderr).toContain("ECONNREFUSED");
});

test("init writes a project that can be read, and never over another", async () => {
  const { exitCode, stdout } = await run("init", "my project");
  expect(exitCode).toBe(0);
  expect(stdout).toContain("taskweaver -p");
  const project = join(folder, "my project");
  expect(resolveServerSettings({}, {}, loadConfigFile({ project })).workDir).toBe(join(project, "workspace"));
  expect(readProjectPlugins(project)).toMatchObject({
    broken: [],
    plugins: [{ name: "moving_average", isEnabled: true, config: { window: 3 } }],
  });
  const before = readFileSync(join(project, "plugins/moving_average.py"), "utf8");
  const again = await run("init", "my project");
  expect(again.exitCode).toBe(2);
  expect(again.stderr).toContain("is there already");
  expect(readFileSync(join(project, "plugins/moving_average.py"), "utf8")).toBe(before);
  expect(existsSync(join(project, "workspace"))).toBe(false);
});
