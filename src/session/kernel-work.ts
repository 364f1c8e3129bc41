/** Work on a session's kernel beside executions (plugins, other clients' silent code), and what its failures mean to who asked. */
import { AppError, messageOf } from "../errors.ts";
import type { KernelSlot } from "./kernel-slot.ts";
import type { LiveKernel } from "./live-kernel.ts";

/**
 * Does work on the live kernel; starts one where there is none.
 * @param isStopped Whether the session has ended meanwhile.
 * @throws AppError `session_not_found`, `plugin_failed` where the kernel was told to end meanwhile, else what the work threw.
 */
export async function workOn<T>(slot: KernelSlot, work: (kernel: LiveKernel) => Promise<T>, isStopped: () => boolean): Promise<T> {
  let kernel: LiveKernel | undefined;
  try {
    kernel = await slot.ensure();
    const result = await work(kernel);
    slot.noteServed(kernel);
    return result;
  } catch (error) {
    if (isStopped()) throw new AppError("session_not_found", "The session was stopped.", { cause: error });
    const wasRestarted = kernel !== undefined && slot.hasEnded(kernel);
    if (wasRestarted) throw new AppError("plugin_failed", "The session was restarted meanwhile; try again.", { cause: error });
    throw asAppError(error);
  }
}

/** A failure of the kernel's as clients are told it. */
export function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError("kernel_start_failed", messageOf(error), { cause: error });
}
