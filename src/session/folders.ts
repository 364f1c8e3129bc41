/** Making folders where a client says. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it.
 * One level at a time: with `recursive` Node never comes back from a path below `/proc`, where mkdir says ENOENT for a folder that is there.
 * @param mode Of those that are made, which the umask may narrow.
 * @throws The error of the system where it cannot be made.
 */
export async function makeFolders(path: string, mode = 0o777): Promise<void> {
  const folder = resolve(path);
  if (dirname(folder) === folder || (await isFolder(folder))) return;
  await makeFolders(dirname(folder), mode);
  await mkdir(folder, { mode }).catch(async (error: unknown) => {
    if (!(await isFolder(folder))) throw error;
  });
}

/** Whether two paths lead to one folder, as they do for names that differ in case where the file system does not tell. */
export async function isSameFolder(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
