/** Making folders where a client says. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/**
 * Makes a folder and those above it.
 * One level at a time: with `recursive` Node never comes back from a path below `/proc`, where mkdir says ENOENT for a folder that is there.
 * @throws The error of the system where it cannot be made.
 */
export async function makeFolders(path: string): Promise<void> {
  const folder = resolve(path);
  if (dirname(folder) === folder || (await isFolder(folder))) return;
  await makeFolders(dirname(folder));
  await mkdir(folder).catch(async (error: unknown) => {
    if (!(await isFolder(folder))) throw error;
  });
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
