/** Whether this process runs in a container, where whoever comes over the published port looks like anyone else. */
import { existsSync } from "node:fs";
import { readFile, readlink, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { PACKAGE_ROOT } from "../paths.ts";

/** What a look at the machine needs; replaced in tests. */
export interface MachineFiles {
  exists(path: string): Promise<boolean>;
  /** Empty where it cannot be read. */
  read(path: string): Promise<string>;
  /** Where a link leads; empty where that cannot be read. */
  link(path: string): Promise<string>;
}

/** The file by which `Dockerfile.executor` marks its image, in the package's folder. */
export const IMAGE_MARK = "container-image";

/** What engines lay into their containers: Docker; Podman and CRI-O; systemd and what follows its container interface. */
const ENGINE_FILES = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/run/host/container-manager"];

/** What engines mount over the image's own. */
const ENGINE_MOUNTS = new Set(["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]);

/**
 * The machine's own namespaces have these numbers on every Linux. The network's and the mounts' are not among them: services and
 * packages have such of their own without being containers.
 * @see https://github.com/torvalds/linux/blob/master/include/uapi/linux/nsfs.h
 */
const MACHINE_NAMESPACES = { pid: 0xeffffffc, ipc: 0xefffffff, uts: 0xeffffffe, cgroup: 0xeffffffb };

/** A control group that is named by the id of a container, as Docker, Podman, containerd and CRI-O do, or that is LXC's. */
const CONTAINER_GROUP = /[-/][0-9a-f]{64}(?:[./]|$)|\/lxc(?:\.payload[^/]*)?\//m;

/**
 * What shows that this process runs in a container, as the end of a sentence; undefined where nothing does. Variables have no say.
 * A file of an engine alone shows nothing: the disk of a machine may have been made from an image. It counts where the kernel says
 * that this process is not in the machine's own namespaces.
 */
export async function whyInsideContainer(files: MachineFiles = realFiles, platform = process.platform): Promise<string | undefined> {
  if (await files.exists(join(PACKAGE_ROOT, IMAGE_MARK))) return "this is the image of Dockerfile.executor";
  if (platform !== "linux") return undefined;
  if (CONTAINER_GROUP.test(await files.read("/proc/self/cgroup"))) return "its control group is a container's";
  const own = await ownNamespaces(files);
  if (own.length === 0) return undefined;
  for (const file of ENGINE_FILES) {
    if (await files.exists(file)) return `there is ${file}, and its namespaces (${own.join(", ")}) are not the machine's`;
  }
  const mounted = mountPoints(await files.read("/proc/self/mountinfo")).find((path) => ENGINE_MOUNTS.has(path));
  return mounted && `${mounted} is mounted, and its namespaces (${own.join(", ")}) are not the machine's`;
}

/**
 * Whether a folder lies in the container's own temporary one and would end with it. Who asks for it means one of another machine, that
 * of the client; what is mounted there is there already.
 */
export function endsWithContainer(folder: string, temporary = tmpdir()): boolean {
  const way = relative(temporary, folder);
  if (way === "") return true;
  return !way.startsWith("..") && !isAbsolute(way) && !existsSync(folder);
}

/** The namespaces of this process that are known not to be the machine's. */
async function ownNamespaces(files: MachineFiles): Promise<string[]> {
  const names: string[] = [];
  for (const [name, inode] of Object.entries(MACHINE_NAMESPACES)) {
    const link = await files.link(`/proc/self/ns/${name}`);
    if (link !== "" && link !== `${name}:[${inode}]`) names.push(name);
  }
  return names;
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
function mountPoints(mountinfo: string): string[] {
  return mountinfo.split("\n").map((line) => line.split(" ")[4] ?? "");
}

const realFiles: MachineFiles = {
  exists: (path) =>
    stat(path).then(
      () => true,
      () => false,
    ),
  read: (path) => readFile(path, "latin1").catch(() => ""),
  link: (path) => readlink(path).catch(() => ""),
};
