/** The examples, each on a server that the tests start: they assert their own result and end with exit code 0. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "../helpers/python.ts";
import { freePort, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";

const EXAMPLES = join(PACKAGE_ROOT, "examples");
const RUNNERS: Record<string, string> = { mjs: process.execPath, py: testPython(), sh: "bash" };

/** A plugin that `plugin.mjs` loads, no example by itself. */
const NOT_RUN = ["convert_currency.py"];

let workDir: string;
let server: ServerProcess;

beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), "taskweaver-examples-"));
  server = await startServerProcess(workDir, await freePort());
});
afterAll(async () => {
  await server.end("SIGTERM");
  await rm(workDir, { recursive: true, force: true });
});

const files = (await readdir(EXAMPLES)).filter((file) => /\.(mjs|py|sh)$/.test(file) && !NOT_RUN.includes(file));

it.each(files)("%s does what it says", async (file) => {
  const runner = RUNNERS[file.split(".").at(-1) ?? ""] ?? "";
  const env = { ...process.env, TASKWEAVER_URL: server.url, TASKWEAVER_PYTHON: testPython() };
  const { stdout } = await promisify(execFile)(runner, [join(EXAMPLES, file)], { env, cwd: workDir });
  expect(stdout).not.toBe("");
});
