/** Names of files that clients choose, kept under a session's folder: no `..`, no absolute path, no symlink that points outside. */
import { constants } from "node:fs";
import { mkdir, open, readlink, realpath, type FileHandle } from "node:fs/promises";
import { isAbsolute, join, posix, relative, sep } from "node:path";
import { AppError } from "../errors.ts";
import { makeFolders } from "./folders.ts";

/** A folder held open, so that what its path means cannot be changed between the check and the use. */
export interface HeldDirectory {
  /** The path of an entry of the folder, good while it is held. */
  entry(name: string): string;
  close(): Promise<void>;
}

/**
 * Splits a client's name into clean segments.
 * @throws AppError `invalid_path` for an empty, absolute or NUL-holding name, or one that leaves the folder.
 */
export function cleanSegments(filename: string): string[] {
  if (filename === "" || filename.includes("\0") || isAbsolute(filename)) throw new AppError("invalid_path");
  const segments = filename.split(sep === "/" ? "/" : /[\\/]/).filter((segment) => segment !== "" && segment !== ".");
  if (segments.length === 0 || segments.includes("..") || filename.endsWith("/")) throw new AppError("invalid_path");
  if (segments.some((segment) => Buffer.byteLength(segment) > 255))
    throw new AppError("invalid_path", "A part of the path is longer than 255 bytes.");
  return segments;
}

/**
 * Opens an existing regular file below `root` for reading.
 * @returns the handle and a path that names this very file.
 * @throws AppError `artifact_not_found` where there is none, or where it lies outside.
 */
export async function openInside(root: string, filename: string): Promise<{ handle: FileHandle; path: string }> {
  let handle: FileHandle | undefined;
  try {
    const path = join(root, ...cleanSegments(filename));
    // O_NONBLOCK: opening a named pipe must not wait for its writer.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const [real, realRoot, stat] = await Promise.all([pathOfHandle(handle, path), realpath(root), handle.stat()]);
    if (!stat.isFile() || !isBelow(realRoot, real)) throw new AppError("artifact_not_found");
    return { handle, path: handlePath(handle, real) };
  } catch (error) {
    await handle?.close();
    if (error instanceof AppError && error.code === "artifact_not_found") throw error;
    throw new AppError("artifact_not_found", undefined, { cause: error });
  }
}

/**
 * Makes the folders of `filename` below `root` and holds the last one open for writing into it.
 * @returns the held folder and the file's own name.
 * @throws AppError `invalid_path` where a symlink would lead outside or a part is no folder.
 */
export async function holdDirectoryOf(root: string, filename: string): Promise<{ directory: HeldDirectory; name: string; path: string }> {
  const segments = cleanSegments(filename);
  const name = segments.at(-1) ?? "";
  await makeFolders(root);
  const realRoot = await realpath(root);
  let current = realRoot;
  for (const segment of segments.slice(0, -1)) {
    // One level at a time, each checked before the next is made: `mkdir -p` would follow a symlink out of the folder.
    const next = join(current, segment);
    await mkdir(next).catch(ignoreExisting);
    current = await realpath(next).catch((error: unknown) => {
      throw new AppError("invalid_path", undefined, { cause: error });
    });
    if (!isBelow(realRoot, current)) throw new AppError("invalid_path");
  }
  const directory = await holdDirectory(realRoot, current);
  return { directory, name, path: join(current, name) };
}

async function holdDirectory(realRoot: string, path: string): Promise<HeldDirectory> {
  if (process.platform === "win32") return { entry: (name) => join(path, name), close: () => Promise.resolve() };
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    throw new AppError("invalid_path", "A part of the path is not a folder.", { cause: error });
  }
  const real = await pathOfHandle(handle, path);
  if (real !== realRoot && !isBelow(realRoot, real)) {
    await handle.close();
    throw new AppError("invalid_path");
  }
  const prefix = handlePath(handle, real);
  return { entry: (name) => join(prefix, name), close: () => handle.close() };
}

/** Where an open file really is; only Linux can tell by the handle. */
function pathOfHandle(handle: FileHandle, path: string): Promise<string> {
  return process.platform === "linux" ? readlink(`/proc/self/fd/${handle.fd}`) : realpath(path);
}

function handlePath(handle: FileHandle, path: string): string {
  return process.platform === "linux" ? `/proc/self/fd/${handle.fd}` : path;
}

function isBelow(root: string, path: string): boolean {
  const inside = relative(root, path);
  return inside !== "" && inside !== ".." && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

/** A path below `root` with forward slashes, as the API shows it. */
export function apiPath(root: string, path: string): string {
  return relative(root, path).split(sep).join(posix.sep);
}
