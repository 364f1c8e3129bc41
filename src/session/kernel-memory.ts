/** How much memory a kernel's process takes. */
import { readFileSync } from "node:fs";

/** As session info has it: nothing where there is no process or its memory cannot be known. */
export function memoryOf(pid: number | undefined): { memory_bytes?: number } {
  const bytes = pid === undefined ? undefined : residentBytes(pid);
  return bytes === undefined ? {} : { memory_bytes: bytes };
}

/**
 * The resident set of a process in bytes, as Linux counts it (pages shared with others included); undefined where it cannot be known.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
 */
export function residentBytes(pid: number): number | undefined {
  try {
    // Not asynchronous: the kernel answers from memory, faster than a thread of the pool would take the question.
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}
