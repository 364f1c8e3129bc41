/** What becomes of the executions and the variables of a session that a server takes back from an earlier one. */
import { missedMessages, type LastOutput } from "../kernel/last-output.ts";
import { WireCodec } from "../kernel/wire.ts";
import { lostExecution, type Execution } from "./execution.ts";
import { lastEntry } from "./journal/journal-entry.ts";
import type { KernelSlot } from "./kernel-slot.ts";
import type { FoundKernel, LiveKernel } from "./live-kernel.ts";
import { askWhatRuns, type KeptExecution } from "./runtime-protocol.ts";
import type { KernelRecord, SessionRecord } from "./journal/session-record.ts";
import type { ResumedExecution } from "./session-options.ts";

/** What taking back needs of the session. */
export interface TakingBack {
  slot: KernelSlot;
  /** All that is known of, in the order of acceptance. */
  executions: Execution[];
  /** Queues one that is not done; with `resumed`, to be followed where it runs. */
  enqueue: (execution: Execution, resumed?: ResumedExecution) => void;
  onAdopted: (kernel: LiveKernel) => void;
}

/**
 * Notes what was lost and nobody has told, ends what nobody can follow to its end, and queues the rest in its order.
 * @param found What has become of the kernel of the record; one that does not answer any more is ended.
 */
export async function takeBack(record: SessionRecord, found: FoundKernel, session: TakingBack): Promise<void> {
  const { slot, executions } = session;
  const { kernel } = found;
  const kept = kernel === undefined ? undefined : await whatRuns(kernel);
  const adopted = kept === "no answer" || kernel?.exit !== undefined ? undefined : kernel;
  const lastOutput = kernel === undefined || adopted !== undefined ? found.lastOutput : await endAndRead(kernel);
  if (adopted !== undefined) {
    slot.adopt(adopted);
    session.onAdopted(adopted);
  }
  const lossAt = untoldLoss(record, adopted, executions);
  if (lossAt !== undefined) slot.noteLostState(lossAt);
  for (const execution of executions) {
    if (execution.state === "done") continue;
    if (execution.startedAt === undefined) session.enqueue(execution);
    else if (adopted === undefined || execution.sentTo !== adopted.process.pid) {
      if (lastOutput !== undefined) await recordLastOutput(execution, lastOutput, record.kernel);
      await execution.finish(lostExecution(execution, false));
      // That has told it.
      if (adopted === undefined) slot.takeStateLoss();
    } else if (kept === undefined || kept === "no answer") await execution.finish(lostExecution(execution, true));
    else if (execution.id === kept.executionId) session.enqueue(execution, { kernel: adopted, messageId: kept.messageId });
    // The server was lost before its request had left.
    else session.enqueue(execution);
  }
}

async function endAndRead({ process }: LiveKernel): Promise<LastOutput | undefined> {
  await process.terminate(0);
  return process.lastOutput?.();
}

/** What its kernel had written when it died, and no server had taken, belongs to it all the same. */
async function recordLastOutput(execution: Execution, last: LastOutput, kernel: KernelRecord | null): Promise<void> {
  const sent = await lastEntry(execution.journal, "sent");
  if (kernel === null || sent?.kernel !== kernel.pid) return;
  const { recorder } = execution;
  const receivers = new Map([[sent.messageId, { receivedCount: () => recorder.takenCount }]]);
  for (const message of missedMessages(last, new WireCodec(kernel.connection.key), receivers)) await recorder.record(message);
}

/** Undefined where the kernel is none of ours and cannot tell. */
async function whatRuns(kernel: LiveKernel): Promise<KeptExecution | "no answer" | undefined> {
  return kernel.isOurs ? askWhatRuns(kernel.client).catch(() => "no answer" as const) : undefined;
}

/** When variables were lost that no execution's result has told of. */
function untoldLoss({ kernel, lossAt }: SessionRecord, adopted: LiveKernel | undefined, executions: Execution[]): Date | undefined {
  const ends = executions.flatMap(({ end, finishedAt }) => (end === undefined || finishedAt === undefined ? [] : [{ end, finishedAt }]));
  const earlier = typeof lossAt === "string" ? new Date(lossAt) : undefined;
  if (
    earlier !== undefined &&
    !ends.some(({ end, finishedAt }) => (end.toldLoss === true || end.lostKernel !== undefined) && finishedAt >= earlier)
  )
    return earlier;
  // A kernel that was still being prepared held nothing.
  if (adopted !== undefined || kernel === null || !kernel.isPrepared) return undefined;
  return ends.some(({ end }) => end.lostKernel === kernel.pid) ? undefined : new Date();
}
