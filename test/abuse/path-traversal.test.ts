/**
 * Path traversal: the names of files in requests are paths, and an attacker writes `..`, an absolute path, or a code of either, in the hope that
 * one part of the server decodes once more than the part that checks. Or a symlink inside the session's folder leads out.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { testPython } from "../helpers/python.ts";
import { request } from "../helpers/raw-http.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";
import { API, expectUnharmed, LET_IN, startVictim } from "./victim.ts";

const victim = sharedByAll(async () => {
  const started = await startVictim();
  await writeFile(join(started.workDirectory, "secret"), "the secret");
  const { cwd } = started.store.get("s1").workspace;
  await symlink(started.workDirectory, join(cwd, "out"));
  await symlink(join(started.workDirectory, "secret"), join(cwd, "out-file"));
  await mkdir(join(cwd, "inside"));
  return { ...started, cwd };
});
afterEach(() => expectUnharmed(victim()));

/** From the session's folder `sessions/s1/cwd` up to the work directory. */
const UP = ["..", "..", "..", "secret"];
const SPELLINGS = [
  UP.join("/"),
  UP.join("%2f"),
  UP.join("%2F"),
  UP.map((part) => part.replaceAll(".", "%2e")).join("/"),
  UP.map((part) => part.replaceAll(".", "%2E")).join("%2f"),
  UP.map((part) => part.replaceAll(".", "%252e")).join("%252f"),
  UP.join("\\"),
  UP.join("%5c"),
  `inside/../${UP.join("/")}`,
  `inside%2f..%2f${UP.join("%2f")}`,
  `./${UP.join("/")}`,
  `//${UP.join("//")}`,
  "..;/..;/..;/secret",
  "%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/secret",
  "%uff0e%uff0e/secret",
  "%2e%2e%00/secret",
  "out/secret",
  "out%2fsecret",
  "out-file",
  "inside/../out/secret",
  "%2fetc%2fpasswd",
  "/etc/passwd",
  "file:%2f%2f%2fetc%2fpasswd",
  "~/secret",
  "..%2fces%2fkernel.log",
  "..%2fces%2fsession.json",
];

test.each(SPELLINGS)("artifacts/%s gives nothing of what lies outside", async (path) => {
  const answer = await request(victim().url, `GET ${API}/sessions/s1/artifacts/${path}`, LET_IN);
  expect([404, 422]).toContain(answer.status);
  expect(answer.body).not.toMatch(/the secret|root:/);
});

test.each(SPELLINGS)("PUT files/%s writes nothing outside", async (path) => {
  const { url, workDirectory } = victim();
  const answer = await request(url, `PUT ${API}/sessions/s1/files/${path}`, LET_IN, "overwritten");
  expect([200, 201, 404, 405, 422]).toContain(answer.status);
  expect(await readFile(join(workDirectory, "secret"), "utf8")).toBe("the secret");
  expect((await readdir(workDirectory)).toSorted()).toEqual(["secret", "sessions"]);
  expect((await readdir(join(workDirectory, "sessions/s1"))).toSorted()).toEqual(["ces", "cwd"]);
});

test.each([...SPELLINGS.map(decode), "/tmp/x", "C:\\x", "\\\\host\\share", "a/\0/b", "\0"])(
  "POST files with the name %j writes nothing outside",
  async (filename) => {
    const { call, workDirectory } = victim();
    const answer = await call("POST", "/sessions/s1/files", { filename, content: "b3ZlcndyaXR0ZW4=" });
    expect([200, 422]).toContain(answer.statusCode);
    expect(await readFile(join(workDirectory, "secret"), "utf8")).toBe("the secret");
    expect((await readdir(workDirectory)).toSorted()).toEqual(["secret", "sessions"]);
  },
);

test.each(["../x", "..", "%2e%2e", "%2e%2e%2fx", "s1%2f..%2f..", "s1/../s2", ".", "%2fetc", "a%00b"])(
  "a session called %s makes no folder outside",
  async (id) => {
    const { url, call, workDirectory } = victim();
    expect([404, 405, 422]).toContain((await request(url, `DELETE ${API}/sessions/${id}`, LET_IN)).status);
    expect((await call("POST", "/sessions", { session_id: decode(id) })).statusCode).toBe(422);
    expect(await readdir(join(workDirectory, "sessions"))).toEqual(["s1"]);
  },
);

test.each(["../x", "..", "a/b", "a\\b", "..\\x", "%2e%2e", "/etc/x", "a\0b", ".x", "C:x", "x\n", ""])(
  "an execution, a plugin or a session called %j is refused, so that no file of theirs has that name",
  async (name) => {
    const { call, workDirectory } = victim();
    for (const [path, body] of [
      ["/sessions/s1/execute", { exec_id: name, code: "" }],
      ["/sessions/s1/plugins", { name, code: "" }],
      ["/sessions", { session_id: name }],
    ] as const)
      expect([path, (await call("POST", path, body)).statusCode]).toEqual([path, 422]);
    expect((await readdir(workDirectory)).toSorted()).toEqual(["secret", "sessions"]);
    expect(await readdir(join(workDirectory, "sessions"))).toEqual(["s1"]);
  },
);

/** What code in a session can do all the time: its folder `race` is itself and a symlink that leads out, by turns. */
const SWAPPER = `
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
print("ready", flush=True)
while libc.renameat2(-100, b"race", -100, b"race-out", 2) == 0: pass
`;

test.skipIf(process.platform !== "linux")(
  "a folder that becomes a symlink while it is being written to or read leads nowhere else",
  { timeout: 60_000 },
  async () => {
    const { url, workDirectory, cwd } = victim();
    await mkdir(join(cwd, "race"));
    await writeFile(join(cwd, "race/secret"), "its own");
    await symlink(workDirectory, join(cwd, "race-out"));
    const swapper = spawn(testPython(), ["-c", SWAPPER], { cwd, stdio: ["ignore", "pipe", "inherit"] });
    whenDone(() => swapper.kill("SIGKILL"));
    await once(swapper.stdout, "data");
    const seen = new Set<string>();
    for (let count = 0; count < 100; count += 1) {
      const [written, read] = await Promise.all([
        request(url, `PUT ${API}/sessions/s1/files/race/planted`, LET_IN, "overwritten"),
        request(url, `GET ${API}/sessions/s1/artifacts/race/secret`, LET_IN),
      ]);
      expect(read.body).not.toContain("the secret");
      seen.add(`written ${written.status}`).add(`read ${read.status}`);
    }
    expect(swapper.exitCode).toBeNull();
    // Both sides of the race have been met.
    expect([...seen].toSorted()).toEqual(["read 200", "read 404", "written 200", "written 201", "written 422"]);
    expect((await readdir(workDirectory)).toSorted()).toEqual(["secret", "sessions"]);
  },
);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
