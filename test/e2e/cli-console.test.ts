/** The interactive client: from a pipe, and in a terminal with a keyboard. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { freePort } from "../helpers/container-service.ts";
import { runCli, startCli, type CliProcess } from "./cli-process.ts";
import { useProject } from "./project-fixture.ts";

const shared = useProject();
const { folder, project } = shared;

/** A whole conversation by a pipe. */
async function converse(input: string, ...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return runCli(["-p", project, "--port", String(shared.server.port), ...args], { cwd: folder, input });
}

describe("from a pipe", () => {
  test("cells run one after the other, in one session, and its end ends the session", async () => {
    const { exitCode, stdout } = await converse("x = 20\nfor i in range(2):\n    print(i)\n\ndef f():\n\n    return x + 1\nf()\n1/0\nx\n");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^Out\[1\]: 20\n0\n1\nOut\[4\]: 21\n[^]*ZeroDivisionError: division by zero\nOut\[6\]: 20\n$/);
    expect(await shared.server.client.listSessions()).toEqual([]);
  });

  test("the project's plugins are loaded and listed, and what they log is shown", async () => {
    const { stdout } = await converse("/plugins\nmoving_average([1, 3], 2)\n");
    expect(stdout).toMatch(/^moving_average {2}loaded {2}Smooths a series/);
    expect(stdout).toContain("info Plugin-moving_average: smoothing 2 values over 2\n");
    expect(stdout).toMatch(/Out\[1\]: \[1\.0, 2\.0\]\n/);
  });

  test("a plugin that does not load is a warning", async () => {
    writeFileSync(join(project, "plugins/bad.yaml"), "name: bad\n");
    writeFileSync(join(project, "plugins/bad.py"), "raise RuntimeError('not today')\n");
    try {
      const { exitCode, stdout } = await converse("1 + 1\n/plugins\n");
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/The plugin bad is not loaded: .*not today/);
      expect(stdout).toContain("Out[1]: 2\n");
      expect(stdout).toMatch(/bad +failed/);
    } finally {
      rmSync(join(project, "plugins/bad.yaml"));
    }
  });

  test("code's questions are answered by the lines below it", async () => {
    const { stdout } = await converse("name = input('who? ')\nAda\nprint('hello', name)\n");
    expect(stdout).toBe("who? Out[1]: Ada\nhello Ada\n");
  });

  test("figures are saved and named, and listed", async () => {
    const { stdout } = await converse("plt.plot([1]); plt.show()\n/artifacts\n");
    const [, path] = /^\[image\] (.*\.png)\n/m.exec(stdout) ?? [];
    expect(readFileSync(path!).subarray(1, 4).toString()).toBe("PNG");
    expect(stdout).toContain(`image   ${path}\n`);
  });

  test("files are loaded, variables shown, the kernel restarted, the session left", async () => {
    writeFileSync(join(folder, "data.txt"), "content");
    const { stdout } = await converse(
      "/load data.txt\nx = open('data.txt').read()\n/vars\n/restart\n'x' in globals()\n/vars\n/exit\nprint('never')\n",
    );
    expect(stdout).toContain("data.txt, 7 bytes");
    expect(stdout).toContain("x = content\n");
    expect(stdout).toMatch(/fresh kernel\.\nOut\[2\]: False\nNo variables yet\.\n$/);
  });

  test("mistakes are told, and the console goes on", async () => {
    const { exitCode, stdout } = await converse("/lod x\n/load nowhere.csv\n/load .\n/load\n1 + 1\n");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /did you mean \/load\?\n.*nowhere\.csv cannot be read: ENOENT.*\n.* cannot be read: it is not a file\.\nName the file.*\nOut\[1\]: 2\n$/,
    );
  });

  test("a session that is named is gone on with, and stays", async () => {
    await converse("kept = 1\n", "--session", "mine");
    // It was made by that console, so it ended with it; one that somebody else made does not.
    expect(await shared.server.client.listSessions()).toEqual([]);
    await shared.server.client.start("mine");
    expect((await converse("kept = 2\n", "--session", "mine")).exitCode).toBe(0);
    expect((await converse("kept\n/vars\n", "--session", "mine")).stdout).toBe("Out[2]: 2\nkept = 2\n");
    await shared.server.client.stop("mine");
  });
});

describe("in a terminal", () => {
  const open = async (...args: string[]): Promise<CliProcess> => {
    const cli = startCli(["-p", project, "--port", String(shared.server.port), ...args], { cwd: folder, inTerminal: true });
    await cli.saw(/In \[1\]: /);
    return cli;
  };

  test("cells of several lines are typed, pasted and run; Ctrl-D leaves", async () => {
    const cli = await open();
    cli.write("for i in range(3):\r");
    await cli.saw(/range\(3\):\r\n {4}/);
    cli.write("print('line', i)\r\r");
    await cli.saw(/line 0\r\nline 1\r\nline 2\r\n/);
    await cli.saw(/In \[2\]: /);
    cli.write("\u001B[200~def f():\n    return 6\n\nf() * 7\u001B[201~");
    await cli.saw(/f\(\) \* 7/);
    cli.write("\r");
    await cli.saw(/Out\[2\]: 42\r\n/);
    await cli.saw(/In \[3\]: /);
    cli.write("\u0004");
    expect(await cli.exited).toBe(0);
    expect(await shared.server.client.listSessions()).toEqual([]);
  });

  test("Tab completes names that the kernel knows, commands and files", async () => {
    writeFileSync(join(folder, "tab-data.txt"), "content");
    const cli = await open();
    cli.write("counter_of_things = 41\r");
    await cli.saw(/In \[2\]: /);
    cli.write("counter_o\t");
    await cli.saw(/counter_of_things/);
    cli.write(" + 1\r");
    await cli.saw(/Out\[2\]: 42/);
    await cli.saw(/In \[3\]: /);
    cli.write("counter_of_things.\t\t");
    await cli.saw(/bit_length[^]*to_bytes[^]*counter_of_things\./);
    cli.write("\u0003/lo\t");
    await cli.saw(/\/load /);
    cli.write("tab-\t");
    await cli.saw(/tab-data\.txt/);
    cli.write("\r");
    await cli.saw(/tab-data\.txt, 7 bytes/);
    cli.write("\u0004");
    expect(await cli.exited).toBe(0);
  });

  test("Ctrl-C interrupts what runs, and clears what is typed; /interrupt does the same", async () => {
    const cli = await open();
    cli.write("import time; print('on'); time.sleep(60)\r");
    await cli.saw(/\non\r\n/);
    cli.write("\u0003");
    await cli.saw(/KeyboardInterrupt[^]*In \[2\]: /);
    cli.write("garbage");
    await cli.saw(/garbage/);
    cli.write("\u0003");
    await cli.saw(/In \[2\]: /);
    cli.write("print('on'); time.sleep(60)\r");
    await cli.saw(/\non\r\n/);
    cli.write("/interrupt\r");
    await cli.saw(/KeyboardInterrupt[^]*In \[3\]: /);
    cli.write("/exit\r");
    expect(await cli.exited).toBe(0);
  });

  test("a password is not shown, and neither answers nor passwords come back as history", async () => {
    const cli = await open();
    cli.write("import getpass; len(getpass.getpass('secret: '))\r");
    await cli.saw(/\nsecret: |\rsecret: |Jsecret: /);
    cli.write("hunter2\r");
    await cli.saw(/Out\[1\]: 7/);
    await cli.saw(/In \[2\]: /);
    // Up: the last cell, not the answer.
    cli.write("\u001B[A");
    await cli.saw(/getpass\.getpass/);
    cli.write("\u0003\u0004");
    await cli.exited;
    expect(cli.stdout).not.toContain("hunter2");
    expect(readFileSync(join(folder, ".state/taskweaver/history.jsonl"), "utf8")).not.toContain("hunter2");
  });

  test("history is there in the next console", async () => {
    const first = await open();
    first.write("'remember me'\r");
    await first.saw(/In \[2\]: /);
    first.write("\u0004");
    await first.exited;
    const second = await open();
    second.write("\u001B[A\r");
    await second.saw(/Out\[1\]: remember me/);
    second.write("\u0004");
    await second.exited;
  });

  test("where no server runs one is started, and one that is killed is replaced", async () => {
    const port = String(await freePort());
    const work = join(folder, "own");
    const cli = startCli(["-p", project, "--port", port, "--work-dir", work], { cwd: folder, inTerminal: true });
    await cli.saw(/started for this[^]*In \[1\]: /);
    cli.write("import os; os.getppid()\r");
    await cli.saw(/Out\[1\]: \d+\r\n/);
    expect(existsSync(join(work, "server.log"))).toBe(true);
    const pid = await serverOn(work);
    process.kill(pid, "SIGKILL");
    await cli.saw(/In \[2\]: /);
    cli.write("6 * 7\r");
    await cli.saw(/Out\[\d\]: 42/);
    const next = await serverOn(work);
    expect(next).not.toBe(pid);
    cli.write("\u0004");
    expect(await cli.exited).toBe(0);
    process.kill(next, "SIGTERM");
  });
});

/** The process that serves from a work directory. */
async function serverOn(workDir: string): Promise<number> {
  const { readdir, readFile } = await import("node:fs/promises");
  for (const entry of await readdir("/proc")) {
    const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (command.includes(`--work-dir\0${workDir}\0`) && command.includes("server\0")) return Number(entry);
  }
  throw new Error("no server runs there");
}
