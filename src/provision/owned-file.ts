/** A file that one process at a time owns: made where there is none, kept fresh by its owner, taken away from a dead one. */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, utimes, writeFile } from "node:fs/promises";

/** Makes it, with a content that no other has; false where there is one already. */
export async function createOwned(file: string, content: string): Promise<boolean> {
  try {
    await writeFile(file, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** A later time stamp says that the owner lives. What was taken over in spite of that is noticed when it is released, and stays. */
export function keepOwned(file: string, content: string, everyMs: number): { release(): Promise<void> } {
  const refresh = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, everyMs).unref();
  return {
    release: async () => {
      clearInterval(refresh);
      if ((await readOwned(file)) === content) await rm(file, { force: true });
    },
  };
}

/** Renaming is atomic: of several that find the owner dead, one takes the file away. What was taken must be what was read. */
export async function takeAway(file: string, content: string): Promise<void> {
  const taken = `${file}.${randomUUID()}.tmp`;
  try {
    await rename(file, taken);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if ((await readOwned(taken)) === content) await rm(taken, { force: true });
  else await rename(taken, file);
}

/** Its content; undefined where it cannot be read. */
export function readOwned(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}
