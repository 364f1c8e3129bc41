/** How much of the machine is in use, as far as it tells. */
import { availableParallelism, loadavg, totalmem } from "node:os";
import type { Readiness } from "../api/index.ts";

/** Load and memory; in a container the memory is what it may use, the load is the machine's. */
export function machineFigures(): Pick<Readiness, "load" | "memory_available_bytes" | "memory_total_bytes"> {
  const total = totalmem();
  const limit = process.constrainedMemory();
  const isLimited = limit > 0 && limit < total;
  return {
    load: (loadavg()[0] ?? 0) / availableParallelism(),
    memory_available_bytes: process.availableMemory(),
    memory_total_bytes: isLimited ? limit : total,
  };
}
