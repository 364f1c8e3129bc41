/** Which process a number means: numbers are used again, a number with its start time is not. */
import { readFileSync } from "node:fs";

/**
 * When a process started, in clock ticks since boot, as text; null where the platform does not say or the process is gone.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html (field 22)
 */
export function startTimeOf(pid: number): string | null {
  try {
    return fieldsOf(readFileSync(`/proc/${pid}/stat`, "latin1"))[19] ?? null;
  } catch {
    return null;
  }
}

/** Whether the process lives; a dead one that nobody reaps still has a number, but on Linux its state tells. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || fieldsOf(readFileSync(`/proc/${pid}/stat`, "latin1"))[0] !== "Z";
  } catch {
    return false;
  }
}

/** Whether the number still means the process that started then. */
export function isSameProcess(pid: number, startedAt: string | null): boolean {
  return isAlive(pid) && (startedAt === null || startTimeOf(pid) === startedAt);
}

/** The fields behind the program's name, which may hold anything: the first is the state (field 3). */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}
