/** Which control groups are those of a work directory: found from a kernel that is in one, and removed where nobody is in them any more. */
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isAlive } from "../process-identity.ts";
import { cgroupsOf, type CgroupPlace } from "./cgroup-files.ts";
import { CgroupGroup, removeFolder, type GroupFolders } from "./cgroup-group.ts";

/** What the groups are known by. */
export interface GroupNamesOptions {
  workDirectory: string;
  /** Whether the work directory is this server's alone: then what earlier ones left is its own, too. */
  isClaimed: boolean;
  /** @default "/proc" */
  proc?: string;
}

const KERNEL_NAME = /^k[0-9a-f]{8}$/;

/** Where folders were made, one a line: a later server may be started in another place of the tree. */
const LIST_NAME = "limit-groups";

/** The groups of one work directory. */
export class GroupNames {
  /** The folder that holds the kernels' groups, in each hierarchy. */
  readonly baseName: string;
  readonly #stem: string;
  readonly #list: string;
  readonly #isClaimed: boolean;
  readonly #proc: string;

  constructor({ workDirectory, isClaimed, proc = "/proc" }: GroupNamesOptions) {
    this.#stem = `taskweaver-${createHash("sha256").update(workDirectory).digest("hex").slice(0, 12)}`;
    this.baseName = isClaimed ? this.#stem : `${this.#stem}-${process.pid}`;
    this.#list = join(workDirectory, LIST_NAME);
    this.#isClaimed = isClaimed;
    this.#proc = proc;
  }

  /** The group of ours that a process is in. */
  async find(pid: number): Promise<CgroupGroup | undefined> {
    const { v1, v2 } = await cgroupsOf(pid, this.#proc);
    if (v2 !== undefined && this.#isOurs(v2)) return new CgroupGroup(2, { memory: v2.folder, pids: v2.folder });
    const folders: GroupFolders = {};
    if (v1.memory !== undefined && this.#isOurs(v1.memory)) folders.memory = v1.memory.folder;
    if (v1.pids !== undefined && this.#isOurs(v1.pids)) folders.pids = v1.pids.folder;
    return Object.keys(folders).length === 0 ? undefined : new CgroupGroup(1, folders);
  }

  /** Writes down where this server makes its folders. */
  async note(bases: string[]): Promise<void> {
    if (!this.#isClaimed) return;
    const known = new Set([...(await this.#noted()), ...bases]);
    await writeFile(this.#list, [...known, ""].join("\n"), { mode: 0o600 }).catch(() => undefined);
  }

  /**
   * Ends and removes the groups that nobody holds; only where the work directory is this server's.
   * @param held Folders of groups that stay.
   * @param current Folders that this server makes groups in.
   */
  async sweep(held: ReadonlySet<string>, current: string[]): Promise<void> {
    if (!this.#isClaimed) return;
    for (const folder of new Set([...(await this.#noted()), ...current])) {
      await this.#sweepBeside(folder);
      await sweepGroups(folder, held);
    }
    await this.tidy([], current);
  }

  /**
   * Removes folders without processes, and forgets them.
   * @param unused Folders of this server that go where they are empty.
   * @param used Folders of this server that stay.
   */
  async tidy(unused: string[], used: string[] = []): Promise<void> {
    const noted = await this.#noted();
    const left: string[] = [];
    for (const folder of new Set([...unused, ...noted])) {
      if (used.includes(folder) || !(await removeFolder(folder))) left.push(folder);
    }
    if (!this.#isClaimed || noted.length === 0) return;
    if (left.length === 0) await rm(this.#list, { force: true }).catch(() => undefined);
    else await writeFile(this.#list, [...left, ""].join("\n"), { mode: 0o600 }).catch(() => undefined);
  }

  #isOurs({ folder }: CgroupPlace): boolean {
    return KERNEL_NAME.test(basename(folder)) && basename(dirname(folder)) === this.#stem;
  }

  /** The list lies where code of a session may have written to it: nothing but names of ours is believed. */
  async #noted(): Promise<string[]> {
    const text = await readFile(this.#list, "utf8").catch(() => "");
    return text.split("\n").filter((folder) => folder.startsWith("/") && basename(folder) === this.#stem);
  }

  /** Servers that could not claim the work directory have folders beside, with their number in the name. */
  async #sweepBeside(folder: string): Promise<void> {
    for (const name of await readdir(dirname(folder)).catch(() => [])) {
      const pid = name.startsWith(`${this.#stem}-`) ? Number(name.slice(this.#stem.length + 1)) : Number.NaN;
      if (!Number.isInteger(pid) || isAlive(pid)) continue;
      await sweepGroups(join(dirname(folder), name), new Set());
      await removeFolder(join(dirname(folder), name));
    }
  }
}

async function sweepGroups(base: string, held: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(base).catch(() => [])) {
    const folder = join(base, name);
    if (KERNEL_NAME.test(name) && !held.has(folder)) await new CgroupGroup(1, { pids: folder }).release();
  }
}
