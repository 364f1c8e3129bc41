/** What one walled kernel has for itself: a folder for its sockets, one for temporary files, and the plan of its wall. */
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { KernelLaunchRequest } from "../provisioner.ts";
import { removeTree } from "../remove-tree.ts";
import type { Sandbox } from "./sandbox.ts";

/** The plan as `python/taskweaver/sandbox/wall.py` reads it. */
export interface WallPlan {
  level: Sandbox["level"];
  network: boolean;
  read: string[];
  work_directory: string;
  runtime_directory: string;
  sockets: string;
  temporary: string;
  cwd: string;
  is_pooled: boolean;
}

/** The folders of one kernel, made. */
export interface KernelPlace {
  /** Its sockets lie there; nobody can guess the name. */
  sockets: string;
  plan: WallPlan;
  /** What the kernel's environment has in addition; the session's own counts more. */
  environment: Record<string, string>;
}

/** The sockets' names in a folder of their own begin with it. */
export const WALLED_SOCKET_NAME = "k";

/** Matplotlib's, in the folder for temporary files. */
const FONTS_FOLDER = "matplotlib";

/** Makes the folders of a kernel; what an earlier kernel of the session had as temporary files is removed. */
export async function makeKernelPlace(sandbox: Sandbox, request: KernelLaunchRequest): Promise<KernelPlace> {
  const { level, network, readable, workDirectory, runtimeDirectory } = sandbox;
  const sockets = join(runtimeDirectory, `k${randomBytes(8).toString("hex")}`);
  await mkdir(sockets, { mode: 0o700 });
  const { temporaryDirectory } = request;
  if (temporaryDirectory === undefined) throw new Error("a walled kernel needs a folder for its temporary files");
  await removeTree(temporaryDirectory);
  await mkdir(temporaryDirectory, { recursive: true, mode: 0o700 });
  await copyFontLists(join(temporaryDirectory, FONTS_FOLDER));
  const plan = {
    level,
    network,
    read: readable,
    work_directory: workDirectory,
    runtime_directory: runtimeDirectory,
    sockets,
    temporary: temporaryDirectory,
    cwd: request.cwd,
    is_pooled: request.isPooled ?? false,
  };
  return { sockets, plan, environment: walledEnvironment(temporaryDirectory) };
}

/** Where programs behind a wall keep what is their own. */
export function walledEnvironment(temporaryDirectory: string): Record<string, string> {
  return { HOME: temporaryDirectory, TMPDIR: temporaryDirectory, MPLCONFIGDIR: join(temporaryDirectory, FONTS_FOLDER) };
}

/** Matplotlib writes to its folder, so each kernel has one; without the list it would look for fonts for seconds, in each program anew. */
async function copyFontLists(target: string): Promise<void> {
  await mkdir(target, { mode: 0o700 });
  for (const folder of matplotlibFolders(process.env)) {
    const names = await readdir(folder).catch(() => []);
    const lists = names.filter((name) => /^fontlist-v[\w.-]+\.json$/.test(name));
    await Promise.all(lists.map((name) => copyFile(join(folder, name), join(target, name)).catch(() => undefined)));
    if (lists.length > 0) return;
  }
}

/** Where Matplotlib outside of walls keeps its list. */
function matplotlibFolders({ MPLCONFIGDIR, XDG_CACHE_HOME }: NodeJS.ProcessEnv): string[] {
  return [MPLCONFIGDIR, join(XDG_CACHE_HOME || join(homedir(), ".cache"), "matplotlib")].filter((folder) => folder !== undefined);
}

/** Writes what a forked kernel reads once and its template never sees; returns the file. */
export async function writeForkFile(runtimeDirectory: string, content: object): Promise<string> {
  const file = join(runtimeDirectory, `r${randomBytes(8).toString("hex")}`);
  try {
    await writeFile(file, JSON.stringify(content), { mode: 0o600, flag: "wx" });
    return file;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
