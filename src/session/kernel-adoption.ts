/** Kernels over the lives of several servers: written down by one, found again and connected by the next. */
import { adoptKernel } from "../provision/adopted-process.ts";
import { removeConnectionFiles } from "../provision/connection-file.ts";
import type { LimitHolder } from "../provision/limits/limits.ts";
import { startTimeOf } from "../provision/process-identity.ts";
import type { KernelRecord } from "./journal/session-record.ts";
import { connectKernel, type KernelStarterOptions, type LiveKernel } from "./live-kernel.ts";
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

/** Connects to a kernel that an earlier server left; undefined where it is gone or does not answer, and then it is ended. */
export async function reconnectKernel(
  record: KernelRecord,
  options: Omit<KernelStarterOptions, "provisioner">,
  limits?: LimitHolder,
): Promise<LiveKernel | undefined> {
  const process = await adoptKernel(record, limits);
  if (process === undefined) {
    // Killed while no server was there, it could not clean up behind itself.
    await removeConnectionFiles(null, record.connection);
    return undefined;
  }
  try {
    if (!record.isPrepared) throw new Error("its plugins were still being loaded");
    return await connectKernel(process, { ...options, channel: "control" });
  } catch {
    await process.terminate(0);
    return undefined;
  }
}
