/** `taskweaver sessions`, as a person looks after the sessions of a server. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli, startCli, type CliProcess } from "./cli-process.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

describe("taskweaver sessions", () => {
  let folder: string;
  let server: TestServer;
  const verb = (...args: string[]) => runCli(["sessions", ...args, "--url", server.url], { cwd: folder });
  const start = (args: string[], inTerminal = false): CliProcess =>
    startCli(["sessions", ...args, "--url", server.url], { cwd: folder, inTerminal });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "cli-sessions-"));
    server = await startTestServer();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test("lists them, with or without the word, and says where there is none", async () => {
    expect((await verb()).stdout).toBe(`No sessions on ${server.url}.\n`);
    await using _session = await server.client.start("listed");
    expect((await verb("list")).stdout).toMatch(/^SESSION .*\nlisted +running +0 /);
    expect(JSON.parse((await verb("--json")).stdout)).toMatchObject([{ session_id: "listed" }]);
  });

  test("finds the key that a server made in the project's work directory", async () => {
    await using keyed = await startTestServer({ apiKey: "made", requireKey: true });
    mkdirSync(join(folder, "workspace"));
    writeFileSync(join(folder, "workspace/api-key"), "made\n");
    expect(await runCli(["sessions", "--port", new URL(keyed.url).port], { cwd: folder })).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("shows one: what it is, what it ran and its variables", async () => {
    await using session = await server.client.start("shown");
    await session.executeCode("x = (1, 2.0)", { executionId: "first" });
    const { stdout } = await verb("show", "shown");
    expect(stdout).toMatch(/^session +shown\nstatus +running\n/);
    expect(stdout).toMatch(/ done {2}first\n/);
    expect(stdout).toMatch(/ x = \(1, 2\.0\)\n/);
    await session.restart();
    expect((await verb("show", "shown")).stdout).toMatch(/^variables +-$/m);
    expect(await verb("show", "none")).toEqual({ exitCode: 1, stdout: "", stderr: "taskweaver: There is no session none.\n" });
  });

  test("logs what it ran, and follows what it goes on to run until it ends", async () => {
    const session = await server.client.start("logged");
    await session.executeCode("print('old')", { executionId: "old" });
    await session.executeCode("print('out')\n3.0", { executionId: "new" });
    const { stdout } = await verb("logs", "logged", "-n", "1");
    expect(stdout).toMatch(/^# new, .*\n>>> print\('out'\)\n\.\.\. 3\.0\nout\n3\.0\n\n$/);
    const logs = start(["logs", "-f", "logged"]);
    await logs.saw(/old\n[^]*out\n3\.0\n/);
    const running = session.executeCode("print('begun', flush=True); input()", { onInputRequest: () => answer });
    let tellAnswer: (text: string) => void = () => undefined;
    const answer = new Promise<string>((resolve) => (tellAnswer = resolve));
    await logs.saw(/>>> print\('begun'.*\nbegun\n/);
    tellAnswer("'answered'");
    await running;
    await logs.saw(/answered/);
    await session.stop();
    expect(await logs.exited).toBe(0);
    expect(logs.stderr).toBe("The session logged has ended.\n");
  });

  test("attaches to one, which stays", async () => {
    await using session = await server.client.start("attached");
    await session.executeCode("x = 20");
    const client = start(["attach", "attached"], true);
    await client.saw(/session attached/);
    client.write("x + 1\r");
    await client.saw(/Out\[\d+\]: 21/);
    client.write("\u0004");
    expect(await client.exited).toBe(0);
    expect((await session.executeCode("x")).output).toBe(20);
    expect(await verb("attach", "none")).toMatchObject({ exitCode: 1, stderr: "taskweaver: There is no session none.\n" });
  });

  test("exports one as a notebook, never over a file unless asked", async () => {
    await using session = await server.client.start("exported");
    await session.executeCode("print('kept')");
    expect(await verb("export", "exported")).toMatchObject({ exitCode: 0, stdout: "exported.ipynb is written.\n" });
    const notebook = JSON.parse(readFileSync(join(folder, "exported.ipynb"), "utf8")) as { cells: { source: string }[] };
    expect(notebook.cells.map(({ source }) => source)).toEqual(["print('kept')"]);
    expect(await verb("export", "exported")).toMatchObject({
      exitCode: 2,
      stderr: "taskweaver: exported.ipynb is there already; --force replaces it.\n",
    });
    expect((await verb("export", "exported", "--force")).exitCode).toBe(0);
    expect(JSON.parse((await verb("export", "exported", "-")).stdout)).toEqual(notebook);
  });

  test("stops them, and says which is not there", async () => {
    await server.client.start("one");
    await server.client.start("two");
    expect(await verb("stop", "one", "none", "two")).toEqual({
      exitCode: 1,
      stdout: "one is stopped; its files stay.\ntwo is stopped; its files stay.\n",
      stderr: "taskweaver: There is no session none.\n",
    });
    expect((await server.client.listSessions()).map(({ session_id }) => session_id)).not.toContain("one");
  });
});
