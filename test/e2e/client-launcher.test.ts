/** A server that clients start: one for all of them, and none when the last has left. */
import { mkdtempSync, rmSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePort } from "../helpers/container-service.ts";
import { startCli, type CliProcess } from "./cli-process.ts";

const SOON = { timeout: 30_000, interval: 50 };

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
    // The key that the server then makes is the clients' to find, not the user's.
    env: { TASKWEAVER_SERVER_UNUSED_GRACE: "2", TASKWEAVER_SERVER_REQUIRE_KEY: "true" },
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

test("clients that start at once share one server, which ends when the last has left", async () => {
  const started = [startClient(), startClient(), startClient()];
  for (const [index, client] of started.entries()) client.write(`${index} + 10\n`);
  for (const [index, client] of started.entries()) await client.saw(new RegExp(`Out\\[1\\]: ${index + 10}\n`));
  expect(await servers()).toHaveLength(1);
  for (const client of started) expect(client.stderr).not.toContain("API key");
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
