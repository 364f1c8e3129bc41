/** Where a server may make control groups for its kernels, in version 2 and in version 1. */
import { access, constants, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { CgroupPlace, ProcessCgroups } from "./cgroup-files.ts";
import type { GroupFolders } from "./cgroup-group.ts";
import type { Controller } from "./limits.ts";

/** Folders below which groups can be made, and why there are none. */
export type FoundBase = { version: 1 | 2; folders: GroupFolders } | { why: string };

/** What the search looks at. */
export interface BaseSearch {
  cgroups: ProcessCgroups;
  /** What has to be limited. */
  needed: Controller[];
  /** Only looks: nothing is moved or changed, and what would be tried counts as done. @default false */
  isTrial?: boolean;
  /** @default "/proc" */
  proc?: string;
}

/** The group that the server goes into itself, since in version 2 a group with processes has no groups with limits below it. */
export const SERVER_LEAF = "taskweaver-server";

const ALL: Controller[] = ["memory", "pids"];

/** Version 1: a folder for each controller, below the server's own. */
export async function findBaseV1({ cgroups, needed }: BaseSearch): Promise<FoundBase> {
  const folders: GroupFolders = {};
  for (const controller of ALL) {
    const place = cgroups.v1[controller];
    const isOurs = place !== undefined && (await isWritable(place.folder));
    if (isOurs) folders[controller] = place.folder;
    else if (needed.includes(controller)) {
      const why = place === undefined ? "is not mounted" : `may not be used by this user in ${place.folder}`;
      return { why: `control groups (version 1): "${controller}" ${why}` };
    }
  }
  return { version: 1, folders };
}

/**
 * Version 2: the server's own group where only the server and its like are in it, else the nearest one above that hands the controllers on, else the
 * server's own where it was delegated (to this user, or to this container).
 */
export async function findBaseV2({ cgroups, needed, isTrial = false, proc = "/proc" }: BaseSearch): Promise<FoundBase> {
  const own = cgroups.v2;
  if (own === undefined) return { why: "control groups (version 2) are not mounted" };
  const above = ancestors(own);
  const top = above.at(-1) ?? own.folder;
  const available = await words(join(top, "cgroup.controllers"));
  const missing = needed.find((controller) => !available.includes(controller));
  if (missing !== undefined) return { why: `control groups (version 2): "${missing}" is not among their controllers` };
  const mayDivideOwn = await canHandOn(own.folder, needed);
  // A server that was started from the leaf of an earlier one finds what it needs above.
  if (mayDivideOwn && basename(own.folder) !== SERVER_LEAF) {
    const isAlone = (await strangersIn(own.folder, proc)).length === 0;
    // Only the machine's root can hand on what it has without being empty.
    if (!isTrial && (await isEnabled(own.folder, needed))) return base(own.folder);
    if (isAlone && (isTrial || (await handOn(own.folder)))) return base(own.folder);
  }
  for (const folder of [own.folder, ...above]) {
    const handed = await words(join(folder, "cgroup.subtree_control"));
    if (needed.every((controller) => handed.includes(controller)) && (await isWritable(folder))) return base(folder);
  }
  if (mayDivideOwn && (await isDelegated(own)) && (isTrial || (await handOn(own.folder)))) return base(own.folder);
  return {
    why: `control groups (version 2): none that this user may divide, from ${own.folder} upwards, hands on ${needed.join(" and ")}`,
  };
}

/** Lets groups below a folder have limits. @throws where the system refuses that for one that is needed. */
export async function enableControllers(folder: string, needed: Controller[]): Promise<void> {
  for (const controller of ALL) {
    const enabled = writeFile(join(folder, "cgroup.subtree_control"), `+${controller}`);
    await (needed.includes(controller) ? enabled : enabled.catch(() => undefined));
  }
}

function base(folder: string): FoundBase {
  return { version: 2, folders: { memory: folder, pids: folder } };
}

/** From the nearest to the mount point. */
function ancestors({ folder, mountPoint }: CgroupPlace): string[] {
  const found: string[] = [];
  for (let at = folder; at !== mountPoint && at.startsWith(mountPoint);) {
    at = dirname(at);
    found.push(at);
  }
  return found;
}

async function canHandOn(folder: string, needed: Controller[]): Promise<boolean> {
  const available = await words(join(folder, "cgroup.controllers"));
  return needed.every((controller) => available.includes(controller)) && (await isWritable(folder));
}

async function isEnabled(folder: string, needed: Controller[]): Promise<boolean> {
  return enableControllers(folder, needed).then(
    () => true,
    () => false,
  );
}

/** Moves everybody in a group to a leaf below it and hands its controllers on; false where the system refuses. */
async function handOn(folder: string): Promise<boolean> {
  try {
    const leaf = join(folder, SERVER_LEAF);
    await mkdir(leaf, { recursive: true });
    for (const pid of await words(join(folder, "cgroup.procs"))) await writeFile(join(leaf, "cgroup.procs"), pid).catch(() => undefined);
    const available = await words(join(folder, "cgroup.controllers"));
    await enableControllers(
      folder,
      ALL.filter((controller) => available.includes(controller)),
    );
    return true;
  } catch {
    return false;
  }
}

/** Processes in a group that neither started this one nor were started by it. */
async function strangersIn(folder: string, proc: string): Promise<number[]> {
  const kin = new Set([process.pid, ...(await parents(process.pid, proc))]);
  const strangers: number[] = [];
  for (const word of await words(join(folder, "cgroup.procs"))) {
    const pid = Number(word);
    if (!kin.has(pid) && !(await parents(pid, proc)).includes(process.pid)) strangers.push(pid);
  }
  return strangers;
}

async function parents(pid: number, proc: string): Promise<number[]> {
  const found: number[] = [];
  for (let at = pid; at > 1 && found.length < 100;) {
    const text = await readFile(join(proc, String(at), "stat"), "latin1").catch(() => "");
    at = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
    if (at > 0) found.push(at);
  }
  return found;
}

/** Given to an ordinary user, or the top of what a container sees. */
async function isDelegated({ folder, mountPoint }: CgroupPlace): Promise<boolean> {
  const uid = process.getuid?.();
  if (folder === mountPoint) return hasParentGroup(folder);
  return uid !== undefined && uid !== 0 && (await stat(folder)).uid === uid;
}

/** The machine's own root has no limits of its own; a container's, which only looks like one, has. */
function hasParentGroup(folder: string): Promise<boolean> {
  return access(join(folder, "memory.max")).then(
    () => true,
    () => false,
  );
}

async function words(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.split(/\s+/).filter((word) => word !== "");
}

async function isWritable(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK);
    await access(join(folder, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
