/** A session's folders: `cwd`, where its code works, and the private one, where the server keeps what it knows. */
import { randomBytes } from "node:crypto";
import { chmodSync, constants, createWriteStream, mkdirSync } from "node:fs";
import { access, lstat, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { isAbsolute, join, win32 } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FileInfo } from "../api/index.ts";
import { AppError } from "../errors.ts";
import { removeTree } from "../provision/remove-tree.ts";
import { apiPath, cleanSegments, holdDirectoryOf, openInside } from "./contained-path.ts";
import { makeFolders } from "./folders.ts";

const UPLOAD_PREFIX = ".taskweaver-upload-";
const MAX_LISTED_FILES = 10_000;

/** The raw output of the session's kernel process, its own words beside the protocol. */
export function kernelLogOf({ privateDirectory }: Pick<Workspace, "privateDirectory">): string {
  return join(privateDirectory, "kernel.log");
}

/** Where a walled kernel keeps its temporary files; it goes with the session's folder. */
export function temporaryDirectoryOf({ directory }: Pick<Workspace, "directory">): string {
  return join(directory, "tmp");
}

/** Where a session works and where the server keeps its own records of it. */
export interface Workspace {
  /** Absolute path; the kernel's working directory. */
  readonly cwd: string;
  /** The cwd that was asked for, where it could not be used. */
  readonly cwdRequested: string | undefined;
  /** `{work_dir}/sessions/{session_id}/ces`, for the server's user only. */
  readonly privateDirectory: string;
  /** `{work_dir}/sessions/{session_id}`. */
  readonly directory: string;
}

/**
 * Makes the folders of a session.
 * @param requestedCwd An absolute path that is used, and made, where that is possible.
 * @param mayUse Whether it may be used.
 * @throws AppError `invalid_request` for a relative `requestedCwd`, `no_space` on a full disk.
 */
export async function createWorkspace(
  workDirectory: string,
  sessionId: string,
  requestedCwd: string | undefined,
  mayUse: (cwd: string) => boolean = () => true,
): Promise<Workspace> {
  if (requestedCwd !== undefined && (!(isAbsolute(requestedCwd) || win32.isAbsolute(requestedCwd)) || requestedCwd.includes("\0"))) {
    const message = "cwd must be an absolute path.";
    throw new AppError("invalid_request", message, { errors: [{ path: "/cwd", message }] });
  }
  const directory = join(workDirectory, "sessions", sessionId);
  const privateDirectory = join(directory, "ces");
  const ownCwd = ownCwdOf(directory);
  // A client waits, and on the disk of the work directory these take less time than a turn in Node's thread pool.
  await translateDiskErrors(async () => {
    mkdirSync(privateDirectory, { recursive: true, mode: 0o700 });
    chmodSync(privateDirectory, 0o700);
  });
  const usable = requestedCwd !== undefined && isAbsolute(requestedCwd) && mayUse(requestedCwd) && (await makeUsable(requestedCwd));
  if (!usable) await translateDiskErrors(async () => void mkdirSync(ownCwd, { recursive: true }));
  return {
    cwd: usable ? requestedCwd : ownCwd,
    cwdRequested: usable ? undefined : requestedCwd,
    privateDirectory,
    directory,
  };
}

/**
 * Writes a file of the session's whole or not at all.
 * @param filename A path below `cwd`; its folders are made.
 * @param content The bytes, or a stream of them that is never held in memory.
 * @throws AppError `invalid_path` also where the place cannot be written to, `no_space`.
 */
export async function writeSessionFile(
  cwd: string,
  filename: string,
  content: Uint8Array | Readable,
): Promise<{ path: string; created: boolean; info: FileInfo }> {
  return translatePathErrors(async () => {
    const { directory, name, path } = await holdDirectoryOf(cwd, filename);
    const temporary = directory.entry(`${UPLOAD_PREFIX}${randomBytes(8).toString("hex")}`);
    try {
      if (content instanceof Uint8Array) await writeNew(temporary, content);
      else await pipeline(content, createWriteStream(temporary, { flags: "wx" }));
      const target = directory.entry(name);
      const before = await lstat(target).catch(() => undefined);
      if (before?.isDirectory() === true) throw new AppError("invalid_path", "The path is a folder.");
      const written = await lstat(temporary);
      await rename(temporary, target);
      const info = { path: cleanSegments(filename).join("/"), size: written.size, modified_at: written.mtime.toISOString() };
      return { path, created: before === undefined, info };
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    } finally {
      await directory.close();
    }
  });
}

/** Removes what a server that was killed had of uploads into a session's own folder, as far as it lies in the folder itself. */
export async function removeHalfUploads({ directory }: Pick<Workspace, "directory">): Promise<void> {
  const cwd = ownCwdOf(directory);
  const names = await readdir(cwd).catch(() => []);
  const halves = names.filter((name) => name.startsWith(UPLOAD_PREFIX));
  await Promise.all(halves.map((name) => unlink(join(cwd, name)).catch(() => undefined)));
}

/**
 * Opens a file of the session's for download.
 * @throws AppError `artifact_not_found`.
 */
export const openSessionFile = openInside;

/** The regular files below `cwd`, by path; symlinks are not followed; at most 10,000. */
export async function listSessionFiles(cwd: string): Promise<FileInfo[]> {
  const files: FileInfo[] = [];
  const folders = [cwd];
  for (let folder = folders.pop(); folder !== undefined && files.length < MAX_LISTED_FILES; folder = folders.pop()) {
    // A folder may vanish or be unreadable: the code of the session is at work meanwhile.
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      if (!entry.isFile() || entry.name.startsWith(UPLOAD_PREFIX) || files.length >= MAX_LISTED_FILES) continue;
      const found = await lstat(path).catch(() => undefined);
      if (found !== undefined) files.push({ path: apiPath(cwd, path), size: found.size, modified_at: found.mtime.toISOString() });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Removes what the server kept for a session that is forgotten; what its code wrote stays. */
export async function removeRecords({ privateDirectory }: Workspace): Promise<void> {
  await removeTree(privateDirectory);
}

/** Removes everything the server made for a session, its own cwd included; a cwd elsewhere stays. */
export async function removeWorkspace(workspace: Workspace): Promise<void> {
  await removeTree(workspace.directory);
}

function ownCwdOf(directory: string): string {
  return join(directory, "cwd");
}

async function makeUsable(cwd: string): Promise<boolean> {
  try {
    await makeFolders(cwd);
    await access(cwd, constants.W_OK | constants.X_OK);
    return (await stat(cwd)).isDirectory();
  } catch {
    return false;
  }
}

async function writeNew(path: string, content: Uint8Array): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(content);
  } finally {
    await handle.close();
  }
}

async function translateDiskErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOSPC" || code === "EDQUOT") throw new AppError("no_space", undefined, { cause: error });
    throw error;
  }
}

/** What is wrong with the place that a client chose is the client's to mend. */
function translatePathErrors<T>(work: () => Promise<T>): Promise<T> {
  return translateDiskErrors(async () => {
    try {
      return await work();
    } catch (error) {
      const message = PATH_ERRORS[(error as NodeJS.ErrnoException).code ?? ""];
      if (message !== undefined) throw new AppError("invalid_path", message, { cause: error });
      throw error;
    }
  });
}

const PATH_ERRORS: Record<string, string> = {
  EACCES: "The server may not write to that place.",
  EISDIR: "The path is a folder.",
  ELOOP: "The path goes through too many symlinks.",
  ENAMETOOLONG: "The path is too long.",
  ENOTDIR: "A part of the path is not a folder.",
  EPERM: "The server may not write to that place.",
  EROFS: "That place cannot be written to.",
};
