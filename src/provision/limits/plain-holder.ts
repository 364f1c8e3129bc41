/** Limits without control groups: none at all, or those of a user namespace for each kernel. */
import type { GroupNames } from "./group-names.ts";
import type { LimitEntry, LimitGroup, LimitHolder, SessionLimits } from "./limits.ts";

/** What a holder is made with. */
export interface PlainHolderOptions {
  name: string;
  limits: SessionLimits;
  /** What each kernel does at its start; absent: nothing. */
  entry?: LimitEntry;
  names: GroupNames;
}

/** Has nothing to make and nothing to remove, except what earlier servers held by control groups. */
export class PlainHolder implements LimitHolder {
  readonly name: string;
  readonly limits: SessionLimits;
  readonly #entry: LimitEntry | undefined;
  readonly #names: GroupNames;
  readonly #held = new Set<string>();

  constructor({ name, limits, entry, names }: PlainHolderOptions) {
    this.name = name;
    this.limits = limits;
    this.#entry = entry;
    this.#names = names;
  }

  prepare(): Promise<LimitGroup | undefined> {
    const entry = this.#entry;
    if (entry === undefined) return Promise.resolve(undefined);
    return Promise.resolve({ entry, memoryKills: () => undefined, release: () => Promise.resolve() });
  }

  /** A group of other times has no limits any more; it goes with its kernel. */
  async adopt(pid: number): Promise<LimitGroup | undefined> {
    const group = await this.#names.find(pid);
    if (group === undefined) return undefined;
    for (const folder of Object.values(group.folders)) this.#held.add(folder);
    await group.limit({ memoryBytes: null, processes: null }).catch(() => undefined);
    return group;
  }

  sweep(): Promise<void> {
    return this.#names.sweep(this.#held, []);
  }

  close(): Promise<void> {
    return this.#names.tidy([]);
  }
}
