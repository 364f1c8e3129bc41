/** Asks a kernel what could stand at the cursor. */
import type { CompleteRequest, CompleteResponse } from "../api/index.ts";
import { KernelGoneError, KernelTimeoutError } from "../kernel/kernel-errors.ts";
import type { LiveKernel } from "./live-kernel.ts";

/** A completion that comes later is of no use to somebody who types. */
const COMPLETE_TIMEOUT_MS = 3_000;

/**
 * What the kernel offers; nothing where there is none to ask, or where it does not answer in time.
 * @param kernel Undefined where it is busy or not running: a busy kernel would answer only afterwards.
 * @see https://jupyter-client.readthedocs.io/en/stable/messaging.html#completion
 */
export async function completeAt(kernel: LiveKernel | undefined, request: CompleteRequest): Promise<CompleteResponse> {
  const { code, cursor_pos } = request;
  const nothing = { matches: [], cursor_start: cursor_pos, cursor_end: cursor_pos };
  if (kernel === undefined) return nothing;
  try {
    const reply = await kernel.client.request("complete_request", { code, cursor_pos }, { timeoutMs: COMPLETE_TIMEOUT_MS });
    const { status, matches, cursor_start, cursor_end } = reply.content;
    if (status !== "ok" || !Array.isArray(matches) || !Number.isInteger(cursor_start) || !Number.isInteger(cursor_end)) return nothing;
    return {
      matches: matches.filter((match) => typeof match === "string"),
      cursor_start: cursor_start as number,
      cursor_end: cursor_end as number,
    };
  } catch (error) {
    if (error instanceof KernelTimeoutError || error instanceof KernelGoneError) return nothing;
    throw error;
  }
}
