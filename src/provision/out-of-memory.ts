/** Who is to go when memory runs out: the kernels and what they started, before the server that they all depend on. */
import { writeFile } from "node:fs/promises";

/** Of 1000; added to the share of memory that a process uses, so that even many small processes of a kernel come before the server. */
const KERNEL_SCORE = 500;

/**
 * Makes a kernel, and what it will start, a likelier victim; a matter of Linux.
 * @see https://www.kernel.org/doc/html/latest/filesystems/proc.html (oom_score_adj)
 */
export async function preferAsVictim(pid: number): Promise<void> {
  if (process.platform !== "linux" || pid <= 1) return;
  // It may have ended already.
  await writeFile(`/proc/${pid}/oom_score_adj`, String(KERNEL_SCORE)).catch(() => undefined);
}
