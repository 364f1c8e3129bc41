/**
 * Where control groups lie in the file system: their mounts, and the folder of a process in each.
 * @see https://man7.org/linux/man-pages/man7/cgroups.7.html, https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Controller } from "./limits.ts";

/** A folder of control groups. */
export interface CgroupPlace {
  version: 1 | 2;
  /** Where the hierarchy is mounted. */
  mountPoint: string;
  /** The process' own folder. */
  folder: string;
}

/** The folders of a process: version 2's one, and version 1's by controller. */
export interface ProcessCgroups {
  v2: CgroupPlace | undefined;
  v1: Partial<Record<Controller, CgroupPlace>>;
}

const CONTROLLERS: Controller[] = ["memory", "pids"];

/**
 * Finds the control groups of a process.
 * @param pid `self` for this one.
 * @param proc Where the process file system is mounted.
 */
export async function cgroupsOf(pid: number | "self", proc = "/proc"): Promise<ProcessCgroups> {
  const [mountText, ownText] = await Promise.all([
    readFile(join(proc, "self/mountinfo"), "utf8").catch(() => ""),
    readFile(join(proc, String(pid), "cgroup"), "utf8").catch(() => ""),
  ]);
  const mounts = parseMounts(mountText);
  const found: ProcessCgroups = { v2: undefined, v1: {} };
  for (const line of ownText.split("\n")) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    if (names === "")
      found.v2 = placeOf(
        path,
        mounts.find((mount) => mount.type === "cgroup2"),
        2,
      );
    for (const controller of CONTROLLERS) {
      if (!names.split(",").includes(controller)) continue;
      const place = placeOf(
        path,
        mounts.find((mount) => mount.type === "cgroup" && mount.options.includes(controller)),
        1,
      );
      if (place !== undefined) found.v1[controller] = place;
    }
  }
  return found;
}

interface Mount {
  /** The folder of the hierarchy that is seen at the mount point. */
  root: string;
  mountPoint: string;
  type: string;
  options: string[];
}

function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, mountPoint] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (root === undefined || mountPoint === undefined || type?.startsWith("cgroup") !== true) return [];
    return [{ root: unescape(root), mountPoint: unescape(mountPoint), type, options: options.split(",") }];
  });
}

/** Undefined where the folder lies outside of what is mounted, as in a container that sees another part of the tree. */
function placeOf(path: string, mount: Mount | undefined, version: 1 | 2): CgroupPlace | undefined {
  if (mount === undefined || path.includes("/..")) return undefined;
  const { root, mountPoint } = mount;
  const below = root === "/" ? path : path === root ? "/" : path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
  return below === undefined ? undefined : { version, mountPoint, folder: below === "/" ? mountPoint : join(mountPoint, below) };
}

/** Blanks and the like are written as octal numbers. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
