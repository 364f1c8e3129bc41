/** Removes folders whose content code may still be changing, without being led elsewhere by it. */
import { execFile } from "node:child_process";
import { rm, rmdir } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Something that outlived its kernel may still write there. */
const TRIES = 3;

/**
 * Removes a folder with all that is in it; nothing where there is none.
 * The system's own `rm` holds on to each folder that it is in. Node's looks at a folder and then goes by its name, and where code puts a symlink in its place
 * in between, it removes what that leads to.
 * @throws Error where something is left.
 */
export async function removeTree(path: string): Promise<void> {
  if (process.platform === "win32") return rm(path, { recursive: true, force: true, maxRetries: TRIES });
  // Most are empty, or not there: that needs no process.
  if (await isRemovedAtOnce(path)) return;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await run("rm", ["-rf", "--", path]);
      return;
    } catch (error) {
      if (attempt === TRIES) throw error;
      // Folders that their owner may not enter.
      await run("chmod", ["-R", "u+rwX", "--", path]).catch(() => undefined);
    }
  }
}

async function isRemovedAtOnce(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
