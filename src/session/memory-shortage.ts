/** What is said where memory ran out: of a kernel that was killed for it, and of what it had started. */
import { describeBytes, type MemoryKills } from "../provision/limits/limits.ts";
import type { KernelExit } from "../provision/provisioner.ts";
import type { ExecutionEnd } from "./execution.ts";
import type { OutputRecorder } from "./output-recorder.ts";

/** A program between that passes its child's end on says it with this exit code. */
const KILLED_EXIT_CODE = 128 + 9;

/**
 * How an execution ended whose kernel was killed because memory ran out; undefined where it died of something else.
 * @param before Who had been killed when the code began.
 */
export function outOfMemory(exit: KernelExit, before: MemoryKills | undefined, after: MemoryKills | undefined): ExecutionEnd | undefined {
  const isKilled = exit.signal === "SIGKILL" || exit.exitCode === KILLED_EXIT_CODE || (exit.signal === null && exit.exitCode === null);
  if (!isKilled || !haveGrown(before, after)) return undefined;
  const error = `The kernel was killed because ${shortageOf(after)}; the session's variables are lost.`;
  return { reason: "out_of_memory", stateKept: false, error };
}

/** Leaves a word in the log where the kernel lives and something that it had started does not. */
export function tellKilledChildren(
  recorder: Pick<OutputRecorder, "addLog">,
  before: MemoryKills | undefined,
  after: MemoryKills | undefined,
): void {
  // Without a limit of its own the one who was killed may be somebody else's.
  if (!haveGrown(before, after) || after?.limitBytes === null) return;
  recorder.addLog(["warning", "Limits", `A process that the code had started was killed because ${shortageOf(after)}.`]);
}

function shortageOf(kills: MemoryKills | undefined): string {
  const limitBytes = kills?.limitBytes ?? null;
  if (limitBytes === null) return "memory ran out on the machine, or in its container";
  return `the session needed more memory than it may have (${describeBytes(limitBytes)}, session_memory)`;
}

function haveGrown(before: MemoryKills | undefined, after: MemoryKills | undefined): boolean {
  return before !== undefined && after !== undefined && after.count > before.count;
}
