/**
 * Disk filler: a session's code writes until the disk is full, and every other session, the server's own records and the machine stand still. Watched, the
 * session is stopped soon after its limit and told why; it lives on, so that what it wrote can be deleted.
 */
import { statfs } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { startLiveServer } from "../helpers/server.ts";

const MIB = 1024 * 1024;
const LIMITS = { sessionDiskBytes: 64 * MIB, interruptGraceMs: 2_000 };
/** Slow enough that a test fills no disk if nothing stops it: some hundred MiB in a minute. */
const FILL = `
import os, time
for count in range(600):
    with open(f"filler-{count}", "wb") as file: file.write(os.urandom(1 << 20) * 8)
    time.sleep(0.1)`;
const TOLD = /^The session's files take [\d.]+ MiB, more than the 64 MiB that they may \(session_disk\); delete some/;

test("code that fills the disk is interrupted and told why; others go on, and after deleting so does the session", async () => {
  const live = await startLiveServer(LIMITS);
  const [attacker, other] = [await live.session(), await live.session()];
  await live.run(other, "kept = 1");
  const before = await freeBytes(live.workDir);
  const result = await live.run(attacker, FILL);
  expect(result).toMatchObject({ reason: "interrupted", is_success: false, state_kept: true, error: expect.stringMatching(TOLD) });
  expect(result.error).toContain("KeyboardInterrupt");
  expect(before - (await freeBytes(live.workDir))).toBeLessThan(1024 * MIB);
  expect((await fetch(`${live.api}/health`)).status).toBe(200);
  expect((await live.run(other, "kept")).output).toBe(1);
  const put = await live.call("POST", `${attacker}/files`, { filename: "more", content: "x", encoding: "text" });
  expect([put.status, put.json["code"]]).toEqual([507, "no_space"]);
  const cleaned = await live.run(
    attacker,
    "import glob, time\nfor name in glob.glob('filler-*'):\n    os.remove(name)\n    time.sleep(0.05)\nlen(glob.glob('*'))",
  );
  expect(cleaned).toMatchObject({ reason: "completed", output: 0 });
  expect((await live.call("POST", `${attacker}/files`, { filename: "more", content: "x", encoding: "text" })).status).toBe(200);
  expect(await live.run(attacker, "import time; time.sleep(2); 'all is well'")).toMatchObject({ output: "all is well" });
});

test("what goes on in the background is ended with its kernel, and the next result says so", async () => {
  const live = await startLiveServer(LIMITS);
  const path = await live.session();
  const background = `import threading\nthreading.Thread(target=lambda: exec(${JSON.stringify(FILL)}), daemon=True).start()`;
  expect((await live.run(path, background)).reason).toBe("completed");
  await vi.waitFor(async () => expect((await live.info(path)).status).toBe("stopped"), { timeout: 60_000, interval: 250 });
  const result = await live.run(path, "1 + 1");
  expect(result).toMatchObject({ output: 2, state_kept: false });
  expect(result.log).toEqual([
    ["error", "Limits", expect.stringMatching(/^The kernel was ended: The session's files take .*session_disk/)],
  ]);
});

test("a file that is put is cut off where the room ends, however long it says it is", async () => {
  const live = await startLiveServer(LIMITS);
  const path = await live.session();
  const chunk = new Uint8Array(4 * MIB);
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(chunk),
  });
  const answer = await fetch(`${live.api}${path}/files/endless`, { method: "PUT", body, duplex: "half" } as RequestInit).catch(
    () => undefined,
  );
  if (answer !== undefined) expect(answer.status).toBe(507);
  expect((await live.call("GET", `${path}/files`)).json).toEqual({ files: [] });
  const tooLong = await fetch(`${live.api}${path}/files/long`, { method: "PUT", body: new Uint8Array(65 * MIB) });
  expect([tooLong.status, await tooLong.json()]).toMatchObject([
    507,
    {
      code: "no_space",
      detail: expect.stringMatching(/^The session's files take [\d.]+ \w+ of the 64 MiB that they may \(session_disk\)/),
    },
  ]);
  expect((await fetch(`${live.api}${path}/files/fits`, { method: "PUT", body: new Uint8Array(10 * MIB) })).status).toBe(201);
});

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
