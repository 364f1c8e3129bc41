/** Limits of each session that the operating system holds: what is asked for, and what a holder of limits does. See docs/limits.md. */

/** What the operating system limits, by its own names. */
export type Controller = "memory" | "pids";

/** What one session may use; null: no limit. */
export interface SessionLimits {
  /** Of its kernel and all that the kernel starts, together. */
  memoryBytes: number | null;
  /** Processes and threads. */
  processes: number | null;
}

/** What a kernel's process does to itself before anything else; `python/taskweaver/kernel/limits.py` reads it. */
export interface LimitEntry {
  /** `cgroup.procs` files to enter. */
  groups?: string[];
  user_namespace_processes?: number;
}

/** Processes that were killed because memory ran out. */
export interface MemoryKills {
  /** So far; only that it grows means something. */
  count: number;
  /** The session's own limit, where that was what ran out; null: the machine's memory, or its container's. */
  limitBytes: number | null;
}

/** The limits of one kernel, in force from when its process has entered. */
export interface LimitGroup {
  readonly entry: LimitEntry;
  /** Undefined where the holder does not count them. */
  memoryKills(): MemoryKills | undefined;
  /** Kills what is left in it and removes it. Idempotent; never rejects. */
  release(): Promise<void>;
}

/** Holds the limits of all sessions of a server, in one of the ways that a machine can. */
export interface LimitHolder {
  /** How, in words, e.g. `control groups (version 2)`. */
  readonly name: string;
  readonly limits: SessionLimits;
  /** Prepares the limits of a kernel to be started; undefined where there are none. @throws AppError `kernel_start_failed`. */
  prepare(): Promise<LimitGroup | undefined>;
  /** The limits of a kernel that an earlier server started: the group that it is in, with the limits of now. */
  adopt(pid: number): Promise<LimitGroup | undefined>;
  /** Ends and removes what earlier servers on this work directory left, except what was adopted. */
  sweep(): Promise<void>;
  /** Removes what the holder itself made, where nothing is held any more. */
  close(): Promise<void>;
}

/** Whether any limit is asked for that the operating system has to hold. */
export function asksForLimits(limits: SessionLimits): boolean {
  return limits.memoryBytes !== null || limits.processes !== null;
}

/** What has to be limited for that. */
export function neededBy({ memoryBytes, processes }: SessionLimits): Controller[] {
  return [...(memoryBytes === null ? [] : ["memory" as const]), ...(processes === null ? [] : ["pids" as const])];
}

/** Bytes in words, e.g. `2 GiB`, `1.5 MiB`. */
export function describeBytes(bytes: number): string {
  const names = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(names.length - 1, Math.floor(Math.log2(bytes) / 10));
  const number = bytes / 1024 ** power;
  return `${Number(number.toFixed(1))} ${names[power] ?? "bytes"}`;
}
