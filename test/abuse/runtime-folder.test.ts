/**
 * The folder of kernels' sockets, often a small disk in memory: a session's code fills it, or takes it away (as systems do with temporary folders). Sessions that
 * run go on; a kernel that could not be started is told so in a sentence and leaves nothing; when there is room again, or the folder is gone, all is as before.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";

const SMALL = "size=1m,mode=700";

const shared = sharedByAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-run-"));
  whenDone(() => rm(folder, { recursive: true, force: true }));
  const canMount = process.platform === "linux" && process.getuid?.() === 0;
  if (canMount) {
    execFileSync("mount", ["-t", "tmpfs", "-o", SMALL, "none", folder]);
    whenDone(() => execFileSync("umount", ["-l", folder]));
  }
  vi.stubEnv("XDG_RUNTIME_DIR", folder);
  whenDone(() => vi.unstubAllEnvs());
  return { canMount, sockets: join(folder, "taskweaver"), live: await startLiveServer({ kernelStart: "fork" }) };
});

/** Its kernel is no fork, since Python reads this when it starts. */
const SPAWNED = { env: { PYTHONHASHSEED: "1" } };

test("filled by a session: the others go on, and who needs room is told that there is none, until there is", async ({ skip }) => {
  const { canMount, sockets, live } = shared();
  skip(!canMount, "only root can mount a small disk");
  const { session, run, call, api } = live;
  const [attacker, other] = [await session(), await session()];
  await run(other, "kept = 1");
  const fill = `with open(${JSON.stringify(join(sockets, "filler"))}, "wb", buffering=0) as file:
    while True: file.write(bytes(4096))`;
  expect((await run(attacker, fill)).error).toContain("No space left on device");
  const before = await readdir(sockets);
  expect(await run(other, "for _ in range(20_000): print('0123456789')\nkept")).toMatchObject({
    reason: "completed",
    output: 1,
    stdout: expect.toSatisfy((chunks: string[]) => chunks.join("") === "0123456789\n".repeat(20_000)),
  });
  expect(await call("POST", "/sessions", { session_id: "spawned", ...SPAWNED })).toMatchObject({
    status: 500,
    json: { code: "kernel_start_failed", detail: expect.stringContaining("no space left on device") },
  });
  expect(await readdir(sockets)).toEqual(before);
  expect((await run(await session(), "1 + 1")).output).toBe(2);
  expect((await fetch(`${api}/health`)).status).toBe(200);
  await rm(join(sockets, "filler"));
  expect((await run(await session(SPAWNED), "1 + 1")).output).toBe(2);
});

test("taken away: sessions that run go on, and for new ones it is made again, for the user alone", async () => {
  const { sockets, live } = shared();
  const { session, run } = live;
  const [attacker, other] = [await session(), await session()];
  await run(other, "kept = 1");
  expect((await run(attacker, `import shutil; shutil.rmtree(${JSON.stringify(sockets)})`)).reason).toBe("completed");
  expect(await run(other, "print('still here'); kept")).toMatchObject({ output: 1, stdout: ["still here\n"] });
  expect((await run(await session(), "1 + 1")).output).toBe(2);
  expect((await stat(sockets)).mode & 0o777).toBe(0o700);
  expect((await run(other, "import os; os._exit(3)")).reason).toBe("kernel_died");
  expect(await run(other, "1 + 1")).toMatchObject({ output: 2, reason: "completed" });
});
