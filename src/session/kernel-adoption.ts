/** Kernels over the lives of several servers: written down by one, found again and connected by the next. */
import { adoptKernel, takeLastOutput } from "../provision/adopted-process.ts";
import type { LimitHolder } from "../provision/limits/limits.ts";
import { startTimeOf } from "../provision/process-identity.ts";
import type { KernelRecord } from "./journal/session-record.ts";
import { connectKernel, type FoundKernel, type KernelStarterOptions, type LiveKernel } from "./live-kernel.ts";
import { kernelLogOf, type Workspace } from "./workspace.ts";

/** A kernel as the next server finds it; null for none. */
export function recordKernel(kernel: LiveKernel | undefined, isPrepared: boolean, workspace: Workspace): KernelRecord | null {
  if (kernel === undefined || kernel.exit !== undefined) return null;
  const { pid, connection, language, interruptMode } = kernel.process;
  return {
    pid,
    startedAt: startTimeOf(pid),
    connection,
    language,
    interruptMode,
    logFile: kernelLogOf(workspace),
    isPrepared,
  };
}

/** Connects to a kernel that an earlier server left. One that does not answer is ended. */
export async function reconnectKernel(
  record: KernelRecord,
  options: Omit<KernelStarterOptions, "provisioner">,
  limits?: LimitHolder,
): Promise<FoundKernel> {
  const process = await adoptKernel(record, limits);
  if (process === undefined) return { lastOutput: await takeLastOutput(record.connection) };
  process.holdOutput?.();
  try {
    if (!record.isPrepared) throw new Error("its plugins were still being loaded");
    return { kernel: await connectKernel(process, { ...options, channel: "control" }) };
  } catch {
    await process.terminate(0);
    return { lastOutput: await process.lastOutput?.() };
  }
}
