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

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
