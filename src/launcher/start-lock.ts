/** Keeps two clients from starting a server at once. Only a courtesy: the port itself decides, should both get through. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A holder shows that often that it lives: its process id alone may be another's by now. */
const REFRESH_MS = 60_000;
const STALE_AFTER_MS = 10 * 60_000;
/** Who has not written a line by then was killed before it could. */
const EMPTY_AFTER_MS = 10_000;

/** A lock that is held; null from {@link takeStartLock} where another process holds it. */
export interface StartLock {
  release(): Promise<void>;
}

/** Takes the lock of a work directory, from a dead holder too. */
export async function takeStartLock(workDir: string): Promise<StartLock | null> {
  await mkdir(workDir, { recursive: true });
  const path = pathIn(workDir);
  const mine = (await create(path)) ?? ((await removeIfDead(path)) ? await create(path) : null);
  if (mine === null) return null;
  const refresh = setInterval(() => void touch(path), REFRESH_MS);
  refresh.unref();
  return {
    release: async () => {
      clearInterval(refresh);
      if ((await read(path)) === mine) await rm(path, { force: true });
    },
  };
}

/** Removes the lock of a client that did not live to release it; one that is held stays. */
export async function removeDeadStartLock(workDir: string): Promise<void> {
  // It hurts nobody where this user may not remove it.
  await removeIfDead(pathIn(workDir)).catch(() => undefined);
}

/** Who holds the lock, and when it last showed that it lives; null where nobody does. */
export async function startLockHolder(workDir: string): Promise<{ pid: number; seenAt: number } | null> {
  const path = pathIn(workDir);
  const [content, stats] = await Promise.all([read(path), stat(path).catch(() => null)]);
  return content === null || stats === null ? null : { pid: Number.parseInt(content, 10), seenAt: stats.mtimeMs };
}

function pathIn(workDir: string): string {
  return join(workDir, "server.starting");
}

/** Makes the file; returns what it holds, which no other does, or null where it is there already. */
async function create(path: string): Promise<string | null> {
  const content = `${process.pid} ${randomUUID()}`;
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o600 });
    return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return null;
    throw error;
  }
}

/**
 * Removes a dead holder's file; true where it is gone. Of several that find it dead at once, only the one with the claim to that very
 * file may remove it, so that nobody removes what a living one made in its place. A claim is such a file itself: its holder may die too.
 */
async function removeIfDead(path: string): Promise<boolean> {
  const content = await read(path);
  if (content === null) return true;
  if (!(await isDead(path, content))) return false;
  const claim = `${path}.${content.split(" ").at(-1)}`;
  if ((await create(claim)) === null) {
    await removeIfDead(claim);
    return false;
  }
  try {
    if ((await read(path)) === content) await rm(path, { force: true });
  } finally {
    await rm(claim, { force: true });
  }
  return true;
}

async function isDead(path: string, content: string): Promise<boolean> {
  const changed = (await stat(path).catch(() => null))?.mtimeMs ?? Date.now();
  const pid = Number.parseInt(content, 10);
  if (Date.now() - changed > (content === "" ? EMPTY_AFTER_MS : STALE_AFTER_MS)) return true;
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function touch(path: string): Promise<void> {
  const now = new Date();
  return utimes(path, now, now).catch(() => undefined);
}

function read(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}
