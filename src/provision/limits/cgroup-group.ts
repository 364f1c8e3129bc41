/** The control group of one kernel: its limits, who was killed in it, its end. One folder in version 2, one a controller in version 1. */
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Controller, LimitEntry, LimitGroup, MemoryKills, SessionLimits } from "./limits.ts";

/** The folders of a group, by what they limit. */
export type GroupFolders = Partial<Record<Controller, string>>;

/** Removal waits for processes that are killed and not yet gone. */
const REMOVAL_LIMIT_MS = 10_000;
const POLL_MS = 10;

/** The system takes memory in pieces: the last one that did not fit may have been large. */
const NEARLY_FULL = 0.95;

/** Version 1's word for no limit. */
const UNLIMITED_V1 = "-1";

/** A group that is there. */
export class CgroupGroup implements LimitGroup {
  readonly entry: LimitEntry;
  readonly folders: GroupFolders;
  readonly #version: 1 | 2;
  readonly #onRelease: () => void;
  #memoryBytes: number | null = null;
  #released: Promise<void> | undefined;

  constructor(version: 1 | 2, folders: GroupFolders, onRelease: () => void = () => undefined) {
    this.#version = version;
    this.folders = folders;
    this.#onRelease = onRelease;
    this.entry = { groups: this.#all.map((folder) => join(folder, "cgroup.procs")) };
  }

  /** Makes the folders. */
  async make(): Promise<void> {
    for (const folder of this.#all) await mkdir(folder);
  }

  /** Sets the limits, or lifts them where null. @throws where the system refuses them. */
  async limit({ memoryBytes, processes }: SessionLimits): Promise<void> {
    const { memory, pids } = this.folders;
    this.#memoryBytes = memoryBytes;
    if (memory !== undefined) await (this.#version === 2 ? limitMemoryV2(memory, memoryBytes) : limitMemoryV1(memory, memoryBytes));
    if (pids !== undefined) await writeFile(join(pids, "pids.max"), processes === null ? "max" : String(processes));
  }

  /** Moves a process in that runs already; what it used until now counts where it was. */
  async take(pid: number): Promise<void> {
    for (const file of this.entry.groups ?? []) await writeFile(file, String(pid));
  }

  memoryKills(): MemoryKills | undefined {
    const { memory } = this.folders;
    if (memory === undefined) return undefined;
    try {
      const counts = readCounts(join(memory, this.#version === 2 ? "memory.events" : "memory.oom_control"));
      const count = counts.get("oom_kill");
      if (count === undefined) return undefined;
      const isAtLimit = this.#version === 2 ? counts.get("oom") !== 0 : hasBeenFullV1(memory);
      return { count, limitBytes: isAtLimit ? this.#memoryBytes : null };
    } catch {
      return undefined;
    }
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  get #all(): string[] {
    return [...new Set(Object.values(this.folders))];
  }

  /** Also what left the kernel's process group is in here; a fork bomb may not make new ones while it is being ended. */
  async #release(): Promise<void> {
    const { pids } = this.folders;
    if (pids !== undefined) await writeFile(join(pids, "pids.max"), "0").catch(() => undefined);
    const deadline = Date.now() + REMOVAL_LIMIT_MS;
    while (!(await this.#isRemoved()) && Date.now() < deadline) {
      for (const folder of this.#all) await killAll(folder);
      await delay(POLL_MS);
    }
    this.#onRelease();
  }

  async #isRemoved(): Promise<boolean> {
    const removed = await Promise.all(this.#all.map(removeFolder));
    return removed.every(Boolean);
  }
}

/** Removes a group's folder and groups that its processes made below; false where somebody is still in one. */
export async function removeFolder(folder: string): Promise<boolean> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await removeFolder(join(folder, entry.name));
    }
    await rmdir(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/** The counts of a file of lines `name number`. */
export function readCounts(file: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [name, number] = line.split(" ");
    if (name !== undefined && number !== undefined) counts.set(name, Number(number));
  }
  return counts;
}

/** Without swap: it would let the session have twice as much, and everybody wait for it. */
async function limitMemoryV2(folder: string, bytes: number | null): Promise<void> {
  await writeFile(join(folder, "memory.max"), bytes === null ? "max" : String(bytes));
  // A kernel of the system without swap has no such file.
  await writeFile(join(folder, "memory.swap.max"), bytes === null ? "max" : "0").catch(() => undefined);
}

/** The limit with swap may never be the smaller one: it is lifted first and set last. */
async function limitMemoryV1(folder: string, bytes: number | null): Promise<void> {
  const withSwap = join(folder, "memory.memsw.limit_in_bytes");
  await writeFile(withSwap, UNLIMITED_V1).catch(() => undefined);
  await writeFile(join(folder, "memory.limit_in_bytes"), bytes === null ? UNLIMITED_V1 : String(bytes));
  if (bytes !== null) await writeFile(withSwap, String(bytes)).catch(() => undefined);
}

/** Not by its count of failures, which newer kernels of the system no longer keep: by the most that was ever used. */
function hasBeenFullV1(folder: string): boolean {
  const [most = 0, limit = 0] = ["memory.max_usage_in_bytes", "memory.limit_in_bytes"].map((name) =>
    Number(readFileSync(join(folder, name), "utf8")),
  );
  return most >= limit * NEARLY_FULL;
}

async function killAll(folder: string): Promise<void> {
  // Version 2 since Linux 5.14: everybody at once.
  await writeFile(join(folder, "cgroup.kill"), "1").catch(() => undefined);
  const text = await readFile(join(folder, "cgroup.procs"), "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    const pid = Number(line);
    // 0 is somebody whom this process cannot see.
    if (pid > 1) killOne(pid);
  }
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await killAll(join(folder, entry.name));
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
