/** The lock between processes. */
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withLock } from "../../../src/provision/file-lock.ts";

let root: string;
let file: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "taskweaver-lock-"));
  file = join(root, "lock");
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Enters at once or after others; tells how many were inside at the most. */
async function crowd(count: number): Promise<number> {
  let inside = 0;
  let most = 0;
  const body = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await readdir(root);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: count }, () => withLock(file, { timeoutMs: 10_000 }, body)));
  return most;
}

describe("withLock", () => {
  it("lets one in at a time", async () => {
    expect(await crowd(8)).toBe(1);
    expect(await readdir(root)).toEqual([]);
  });

  it("passes on what the body gives and throws, and is free afterwards", async () => {
    expect(await withLock(file, { timeoutMs: 1000 }, () => Promise.resolve(7))).toBe(7);
    await expect(withLock(file, { timeoutMs: 1000 }, () => Promise.reject(new Error("inside")))).rejects.toThrow("inside");
    expect(await readdir(root)).toEqual([]);
  });

  it("takes over from a process of this machine that is dead", async () => {
    await writeFile(file, JSON.stringify({ id: "x", pid: 2 ** 22 + 1, host: hostname() }));
    expect(await crowd(4)).toBe(1);
    expect(await readdir(root)).toEqual([]);
  });

  it("takes over from a holder that has not been heard of for long, wherever it runs", async () => {
    await writeFile(file, JSON.stringify({ id: "x", pid: 1, host: "elsewhere" }));
    const old = new Date(Date.now() - 60_000);
    await utimes(file, old, old);
    expect(await withLock(file, { timeoutMs: 1000 }, () => Promise.resolve(1))).toBe(1);
  });

  it("waits for a holder that lives, and says so once", async () => {
    await writeFile(file, JSON.stringify({ id: "x", pid: process.pid, host: hostname() }));
    let waits = 0;
    await expect(withLock(file, { timeoutMs: 250, onWait: () => (waits += 1) }, () => Promise.resolve(1))).rejects.toThrow(
      /was held for more/,
    );
    expect(waits).toBe(1);
  });
});
