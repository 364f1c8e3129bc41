/** The README's commands, as a reader pastes them: `npm start` in one terminal, the others in another. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "../helpers/python.ts";
import { freePort, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";

let workDir: string;
let server: ServerProcess;
let readme: string;

beforeAll(async () => {
  readme = await readFile(join(PACKAGE_ROOT, "README.md"), "utf8");
  workDir = await mkdtemp(join(tmpdir(), "taskweaver-readme-"));
  server = await startServerProcess(workDir, await freePort());
});
afterAll(async () => {
  await server.end("SIGTERM");
  await rm(workDir, { recursive: true, force: true });
});

/** The code blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map((match) => match[1] ?? "");
}

async function paste(script: string): Promise<string> {
  // `set -e` as the reader's eyes: a command that fails is seen. The server of this test stands for the one on port 8000.
  const own = `set -e\n${script.replaceAll("http://localhost:8000", server.url)}`;
  const env = { ...process.env, TASKWEAVER_PYTHON: testPython(), TASKWEAVER_SERVER_PORT: new URL(server.url).port };
  const { stdout } = await promisify(execFile)("bash", ["-c", own], { cwd: PACKAGE_ROOT, env });
  return stdout;
}

it("npm start serves, and Ctrl-C ends it", async () => {
  expect(blocks("bash")[0]).toBe("npm start\n");
  const port = await freePort();
  const args = ["start", "--", "--port", String(port), "--work-dir", join(workDir, "start"), "--python", testPython()];
  const child = spawn("npm", args, { cwd: PACKAGE_ROOT, stdio: ["ignore", "pipe", "inherit"], detached: true });
  try {
    let text = "";
    for await (const chunk of child.stdout) if ((text += String(chunk)).includes('"listening"')) break;
    const health = await fetch(`http://localhost:${port}/api/v1/health`);
    expect(await health.json()).toMatchObject({ status: "healthy" });
  } finally {
    // As a terminal does it: to the whole process group.
    process.kill(-(child.pid ?? 0), "SIGINT");
    await once(child, "exit");
  }
});

it("every other shell command works as it stands", async () => {
  const outputs: string[] = [];
  for (const block of blocks("bash").slice(1)) outputs.push(await paste(block));
  const all = outputs.join("\n");
  expect(all).toContain('"status":"created"');
  expect(all).toContain('"output":"   a\\n0  1\\n1  2\\n2  3"');
  expect(all).toContain("event: done");
  expect(all).toContain("hello");
  expect(all).toContain("42");
  expect(all).toMatch(/^(SESSION|No sessions on)/m);
});

it("the JavaScript runs as it stands", async () => {
  const [script] = blocks("js");
  const own = (script ?? "").replaceAll("http://localhost:8000", server.url);
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", own], { cwd: PACKAGE_ROOT });
  expect(stdout).toContain("42");
});

it("every page it links to and every picture is there", async () => {
  for (const [, path] of readme.matchAll(/(?:\]\(|src(?:set)?=")(?!https?:)([^)"#]+)/g)) await access(join(PACKAGE_ROOT, path ?? ""));
});
