/** A lock between processes: a file that its holder keeps fresh, so that one left by a killed process is told from a held one. */
import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { createOwned, keepOwned, readOwned, takeAway } from "./owned-file.ts";

/** How to wait. */
export interface LockOptions {
  timeoutMs: number;
  /** Called once, where another process holds the lock. */
  onWait?: () => void;
  signal?: AbortSignal;
}

const POLL_MS = 100;
const REFRESH_MS = 2_000;
const STALE_AFTER_MS = 15_000;

/** Runs `body` while holding the lock; waits for another holder to finish, and takes over from one that is dead. */
export async function withLock<T>(file: string, options: LockOptions, body: () => Promise<T>): Promise<T> {
  const mine = JSON.stringify({ id: randomUUID(), pid: process.pid, host: hostname() });
  await acquire(file, mine, options);
  const held = keepOwned(file, mine, REFRESH_MS);
  try {
    return await body();
  } finally {
    await held.release();
  }
}

async function acquire(file: string, mine: string, options: LockOptions): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  let told = false;
  while (!(await createOwned(file, mine))) {
    if (await removeIfStale(file)) continue;
    if (!told) options.onWait?.();
    told = true;
    if (Date.now() > deadline) throw new Error(`the lock ${file} was held for more than ${options.timeoutMs / 1000} s`);
    await delay(POLL_MS, undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** True where the lock is gone and may be tried again. */
async function removeIfStale(file: string): Promise<boolean> {
  const content = await readOwned(file);
  const found = await stat(file).catch(() => undefined);
  if (content === undefined || found === undefined) return true;
  if (Date.now() - found.mtimeMs < STALE_AFTER_MS && !isHolderDead(content)) return false;
  await takeAway(file, content);
  return true;
}

/** Only of a process on this machine is that known. */
function isHolderDead(content: string): boolean {
  try {
    const { pid, host } = JSON.parse(content) as { pid: number; host: string };
    if (host !== hostname()) return false;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}
