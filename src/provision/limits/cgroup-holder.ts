/** Holds limits by control groups: one for each kernel, made before it starts and removed with it. */
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AppError, messageOf } from "../../errors.ts";
import { enableControllers } from "./cgroup-base.ts";
import { CgroupGroup, type GroupFolders } from "./cgroup-group.ts";
import type { GroupNames } from "./group-names.ts";
import { neededBy, type Controller, type LimitGroup, type LimitHolder, type SessionLimits } from "./limits.ts";

/** What a holder is made with. */
export interface CgroupHolderOptions {
  version: 1 | 2;
  /** The folders in which the holder makes its own. */
  folders: GroupFolders;
  limits: SessionLimits;
  names: GroupNames;
  /** Told where a kernel of an earlier server cannot be held. */
  onUnheld?: ((pid: number, error: unknown) => void) | undefined;
}

/** Makes groups in `FOLDER/taskweaver-HASH/`, each named `k` and eight hexadecimal digits. */
export class CgroupHolder implements LimitHolder {
  readonly name: string;
  readonly limits: SessionLimits;
  readonly #version: 1 | 2;
  readonly #names: GroupNames;
  readonly #bases: GroupFolders = {};
  readonly #onUnheld: (pid: number, error: unknown) => void;
  readonly #held = new Set<string>();

  constructor({ version, folders, limits, names, onUnheld }: CgroupHolderOptions) {
    this.name = describeVersion(version);
    this.limits = limits;
    this.#version = version;
    this.#names = names;
    this.#onUnheld = onUnheld ?? (() => undefined);
    for (const controller of controllersOf(folders)) this.#bases[controller] = join(folders[controller] ?? "", names.baseName);
  }

  /** Makes its own folders. @throws where the system refuses. */
  async open(): Promise<void> {
    await this.#names.note(this.#baseFolders);
    for (const base of this.#baseFolders) await mkdir(base, { recursive: true });
    if (this.#version === 2) await enableControllers(this.#bases.memory ?? "", neededBy(this.limits));
  }

  async prepare(): Promise<CgroupGroup> {
    const name = `k${randomBytes(4).toString("hex")}`;
    const folders: GroupFolders = {};
    for (const controller of controllersOf(this.#bases)) folders[controller] = join(this.#bases[controller] ?? "", name);
    const group = this.#hold(folders);
    try {
      await group.make();
      await group.limit(this.limits);
      return group;
    } catch (error) {
      await group.release();
      throw new AppError("kernel_start_failed", `The limits of the session could not be set up: ${messageOf(error)}.`, { cause: error });
    }
  }

  /** One that was started without limits is moved into a group: it, and not what it has started already. */
  async adopt(pid: number): Promise<LimitGroup | undefined> {
    try {
      const found = await this.#names.find(pid);
      const group = found === undefined ? await this.prepare() : this.#hold(found.folders);
      if (found === undefined) await group.take(pid);
      else await group.limit(this.limits);
      return group;
    } catch (error) {
      this.#onUnheld(pid, error);
      return undefined;
    }
  }

  sweep(): Promise<void> {
    return this.#names.sweep(this.#held, this.#baseFolders);
  }

  close(): Promise<void> {
    return this.#names.tidy(this.#baseFolders);
  }

  get #baseFolders(): string[] {
    return [...new Set(Object.values(this.#bases))];
  }

  #hold(folders: GroupFolders): CgroupGroup {
    const names = Object.values(folders);
    for (const name of names) this.#held.add(name);
    return new CgroupGroup(this.#version, folders, () => {
      for (const name of names) this.#held.delete(name);
    });
  }
}

/** Control groups in words. */
export function describeVersion(version: 1 | 2): string {
  return `control groups (version ${version})`;
}

function controllersOf(folders: GroupFolders): Controller[] {
  return Object.keys(folders) as Controller[];
}
