/** Keeps two clients from starting a server at once. Only a courtesy: the port itself decides, should both get through. */
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

const STALE_AFTER_MS = 10 * 60_000;

/** A lock that is held; null from {@link takeStartLock} where another process holds it. */
export interface StartLock {
  release(): Promise<void>;
}

/** Takes the lock of a work directory, from a dead holder too. */
export async function takeStartLock(workDir: string): Promise<StartLock | null> {
  await mkdir(workDir, { recursive: true });
  const path = join(workDir, "server.starting");
  if (!(await create(path))) {
    if (!(await isStale(path))) return null;
    await rm(path, { force: true });
    if (!(await create(path))) return null;
  }
  return { release: () => rm(path, { force: true }) };
}

async function create(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function isStale(path: string): Promise<boolean> {
  const pid = Number(await readFile(path, "utf8").catch(() => ""));
  const changed = (await stat(path).catch(() => null))?.mtimeMs ?? 0;
  if (Date.now() - changed > STALE_AFTER_MS) return true;
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
