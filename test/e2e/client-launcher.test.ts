/** A server that clients start: one for all of them, whoever is killed, and none when nobody is left. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { freePort } from "../helpers/container-service.ts";
import { startCli, type CliProcess } from "./cli-process.ts";

const SOON = { timeout: 30_000, interval: 50 };
/** A killed client's lease runs out, then the time without use. */
const LEASE_AND_GRACE = { timeout: 60_000, interval: 200 };

let folder: string;
let port: string;
let clients: CliProcess[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "client-launcher-"));
  port = String(await freePort());
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.kill("SIGKILL");
  for (const pid of await servers()) process.kill(pid, "SIGTERM");
  await expect.poll(servers, SOON).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

/** A client that stays: its input stays open. */
function startClient(): CliProcess {
  const client = startCli(["--port", port, "--work-dir", join(folder, "work")], {
    cwd: folder,
    env: { TASKWEAVER_SERVER_UNUSED_GRACE: "2" },
  });
  clients.push(client);
  return client;
}

/** The servers that run on this test's folder. */
async function servers(): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (command.includes(`\0--work-dir\0${join(folder, "work")}\0`) && command.includes("\0server\0")) found.push(Number(entry));
  }
  return found;
}

async function isAnswering(): Promise<boolean> {
  return new ExecutionClient({ url: `http://localhost:${port}`, retries: 0, timeoutMs: 2_000 }).health().then(
    () => true,
    () => false,
  );
}

test("clients that start at once share one server, which ends when the last has left", async () => {
  const started = [startClient(), startClient(), startClient()];
  for (const [index, client] of started.entries()) client.write(`${index} + 10\n`);
  for (const [index, client] of started.entries()) await client.saw(new RegExp(`Out\\[1\\]: ${index + 10}\n`));
  expect(await servers()).toHaveLength(1);
  for (const client of started.slice(1)) {
    client.end();
    expect(await client.exited).toBe(0);
  }
  // It is still held by the first one.
  started[0]!.write("import time; time.sleep(3); 'still here'\n");
  await started[0]!.saw(/still here/);
  started[0]!.end();
  expect(await started[0]!.exited).toBe(0);
  await expect.poll(servers, SOON).toEqual([]);
});

describe("a client that is killed", () => {
  test.each([
    ["before it has begun", () => true],
    ["while it starts the server", () => existsSync(join(folder, "work/server.log"))],
    ["when the server answers", isAnswering],
  ])("%s leaves a server that answers or none, and keeps nobody from working", async (_when, isTime: () => boolean | Promise<boolean>) => {
    const victim = startClient();
    await expect.poll(async () => isTime(), { timeout: 30_000, interval: 5 }).toBe(true);
    victim.kill("SIGKILL");
    await victim.exited;
    const next = startClient();
    next.write("6 * 7\n");
    await next.saw(/Out\[1\]: 42\n/);
    expect(await servers()).toHaveLength(1);
    next.end();
    expect(await next.exited).toBe(0);
    await expect.poll(servers, LEASE_AND_GRACE).toEqual([]);
  });

  test("in the middle of its work leaves nothing, once its lease has run out", async () => {
    const victim = startClient();
    victim.write("import os; os.getpid()\n");
    const [, kernel] = await victim.saw(/Out\[1\]: (\d+)\n/);
    victim.kill("SIGKILL");
    await expect.poll(servers, LEASE_AND_GRACE).toEqual([]);
    await expect.poll(() => existsSync(`/proc/${kernel}`), SOON).toBe(false);
  });
});
