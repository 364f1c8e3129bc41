/**
 * How many processes the system has killed because memory ran out, where a kernel has no limits of its own: in its control group (of a container or
 * a service, say), else on the whole machine.
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.events)
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cgroupsOf } from "./cgroup-files.ts";
import { readCounts } from "./cgroup-group.ts";
import type { MemoryKills } from "./limits.ts";

/** Counts for the control group that a process is in; undefined while it cannot be known. */
export async function memoryKillCounter(pid: number | "self", proc = "/proc"): Promise<() => MemoryKills | undefined> {
  const { v1, v2 } = await cgroupsOf(pid, proc);
  const candidates = [
    v1.memory === undefined ? undefined : join(v1.memory.folder, "memory.oom_control"),
    // The group at the root of the hierarchy has none.
    v2 === undefined ? undefined : join(v2.folder, "memory.events"),
    join(proc, "vmstat"),
  ];
  const file = candidates.find((candidate) => candidate !== undefined && existsSync(candidate));
  return () => {
    try {
      const count = file === undefined ? undefined : readCounts(file).get("oom_kill");
      return count === undefined ? undefined : { count, limitBytes: null };
    } catch {
      return undefined;
    }
  };
}
