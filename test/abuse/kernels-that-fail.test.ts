/**
 * Kernels that are no good: one that never answers, one that ignores SIGTERM, one that ends while it starts, one that takes long to start. Each could hold a request,
 * a place among the sessions or a process for good; none does.
 */
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "../helpers/python.ts";
import { startLiveServer } from "../helpers/server.ts";
import { sharedByAll, whenDone } from "../helpers/when-done.ts";

const FIXTURES = join(PACKAGE_ROOT, "test/fixtures/kernels");
const shell = (script: string): string[] => ["sh", join(FIXTURES, script), "{connection_file}"];
const SLOW = ["sh", "-c", 'sleep 2; exec "$0" -m ipykernel_launcher -f "$1"', testPython(), "{connection_file}"];

const live = sharedByAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-kernels-"));
  whenDone(() => rm(folder, { recursive: true, force: true }));
  for (const [name, argv] of Object.entries({
    silent: shell("forever.sh"),
    stubborn: shell("stubborn.sh"),
    ends: shell("fails-at-start.sh"),
    slow: SLOW,
  })) {
    await mkdir(join(folder, "kernels", name), { recursive: true });
    await writeFile(join(folder, "kernels", name, "kernel.json"), JSON.stringify({ argv, display_name: name, language: "python" }));
  }
  vi.stubEnv("JUPYTER_PATH", folder);
  whenDone(() => vi.unstubAllEnvs());
  const server = await startLiveServer({ kernelStartTimeoutMs: 20_000, maxSessions: 2 });
  return { ...server, impatient: await startLiveServer({ kernelStartTimeoutMs: 1_000, maxSessions: 1 }) };
});

test.each([
  ["silent", "never answers", "did not answer kernel_info_request within 1000 ms. Its last words"],
  ["stubborn", "ignores SIGTERM", "did not answer"],
  ["ends", "ends while it starts", "ImportError: no module named wanted"],
])(
  "a kernel (%s) that %s is told as a failed start, with its last words, and leaves neither a process nor a session",
  async (kernel, _, words) => {
    const { impatient } = live();
    const answer = await impatient.call("POST", "/sessions", { session_id: kernel, kernel });
    expect([answer.status, answer.json["code"]]).toEqual([500, "kernel_start_failed"]);
    expect(answer.json["detail"]).toContain(words);
    await vi.waitFor(async () => expect(await processesWith(impatient.workDir)).toEqual([]), { timeout: 20_000 });
    expect((await impatient.call("GET", "/sessions")).json).toEqual({ sessions: [] });
    // The place of the one session that there may be is free again.
    expect((await impatient.call("POST", "/sessions", { session_id: "next", kernel: "ends" })).status).toBe(500);
  },
);

test("a kernel that takes long to start is waited for; a session that is deleted meanwhile leaves no process", async () => {
  const { session, run, call, workDir } = live();
  expect((await run(await session({ kernel: "slow" }), "1 + 1")).reason).toBe("completed");
  const starting = call("POST", "/sessions", { session_id: "unwanted", kernel: "slow" });
  await vi.waitFor(async () => expect((await call("DELETE", "/sessions/unwanted")).status).toBe(200), { interval: 20, timeout: 20_000 });
  expect((await starting).status).toBe(404);
  await vi.waitFor(async () => expect(await processesWith(join(workDir, "sessions/unwanted"))).toEqual([]), { timeout: 20_000 });
});

/** Processes of other programs that work below a folder. */
async function processesWith(folder: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      return cwd.startsWith(folder) ? [(await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")).replaceAll("\0", " ")] : [];
    }),
  );
  return found.flat();
}
