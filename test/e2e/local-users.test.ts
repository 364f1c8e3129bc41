/** Another user of the same machine, a real one: what it is told on loopback, and what it can open of the server's files under a lax umask. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { openRuntimeDirectory } from "../../src/provision/runtime-directory.ts";
import { freePort, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";

const NOBODY = 65_534;
// Only root can become another user.
const test = it.skipIf(process.getuid?.() !== 0);

describe("another user of this machine", () => {
  let folder: string;
  let server: ServerProcess;

  beforeAll(async () => {
    if (process.getuid?.() !== 0) return;
    folder = await mkdtemp(join(tmpdir(), "taskweaver-users-"));
    await chmod(folder, 0o755);
    server = await startServerProcess({ workDir: join(folder, "work"), umask: 0 }, await freePort());
    const session = await server.client.start("mine");
    await session.executeCode("open('result.txt', 'w').write('mine')");
  });
  afterAll(async () => {
    if (server === undefined) return;
    await server.end("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  });

  test("is no local client: on loopback it needs the key, as a program of ours does not", async () => {
    expect(await statusFor(process.getuid?.() ?? 0, server.url)).toBe(200);
    expect(await statusFor(NOBODY, server.url)).toBe(401);
  });

  test("with the key is let in", async () => {
    const port = await freePort();
    const keyed = await startServerProcess({ workDir: join(folder, "keyed"), umask: 0 }, port, "--require-key");
    try {
      const apiKey = (await readFile(join(folder, "keyed/api-key"), "utf8")).trim();
      expect(await statusFor(NOBODY, keyed.url)).toBe(401);
      expect(await statusFor(NOBODY, keyed.url, apiKey)).toBe(200);
      await expect(new ExecutionClient({ url: keyed.url, apiKey }).listSessions()).resolves.toEqual([]);
      expect(await openedBy(NOBODY, [join(folder, "keyed")])).toEqual([]);
    } finally {
      await keyed.end("SIGTERM");
    }
  });

  test("opens none of the server's files and sockets, and changes none of its folders", async () => {
    const runtime = await openRuntimeDirectory();
    expect(await readdir(join(folder, "work/sessions/mine/ces"))).toContain("session.json");
    const places = [join(folder, "work"), runtime];
    expect(await openedBy(NOBODY, places)).toEqual([]);
    // The same search finds much where it may.
    expect((await openedBy(0, places)).length).toBeGreaterThan(5);
  });
});

async function statusFor(uid: number, url: string, key = ""): Promise<number> {
  return Number(await runAs(uid, STATUS, `${url}/api/v1/sessions`, key));
}

async function openedBy(uid: number, places: string[]): Promise<string[]> {
  const paths = (await runAs(uid, OPENED, ...places)).split("\n");
  return paths.filter((path) => path !== "");
}

/** Runs a script of Python's standard library as a user; gives what it printed. */
async function runAs(uid: number, script: string, ...args: string[]): Promise<string> {
  const child = spawn("python3", ["-I", "-c", script, ...args], { uid, gid: uid, cwd: "/", stdio: ["ignore", "pipe", "inherit"], env: {} });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const [exitCode] = (await once(child, "close")) as [number];
  expect(exitCode).toBe(0);
  return text;
}

const STATUS = `
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"X-API-Key": sys.argv[2]} if sys.argv[2] else {})
try: print(urllib.request.urlopen(request, timeout=30).status)
except urllib.error.HTTPError as error: print(error.code)
`;

/** Names what can be read or written of all that can be seen below some folders. */
const OPENED = `
import os, socket, stat, sys
def look(path):
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        if os.access(path, os.W_OK): print(path)
        try: names = os.listdir(path)
        except OSError: return
        for name in names: look(os.path.join(path, name))
    elif stat.S_ISSOCK(mode):
        try: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(path); print(path)
        except OSError: pass
    elif os.access(path, os.R_OK) or os.access(path, os.W_OK): print(path)
for place in sys.argv[1:]:
    try: look(place)
    except OSError: pass
`;
