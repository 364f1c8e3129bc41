/** Who wants to know what happens in sessions: counts and times, never code. */
import type { EndReason } from "../api/index.ts";
import type { Execution } from "./execution.ts";

/** How an execution went, in seconds. */
export interface ExecutionTimes {
  reason: EndReason;
  /** From acceptance until the code was sent to the kernel; null where it never was. */
  queuedSeconds: number | null;
  /** Of the code itself; null where it never started. */
  runSeconds: number | null;
}

/** Told of what happens; must not throw. */
export interface SessionObserver {
  executionEnded(times: ExecutionTimes): void;
  /** A session got its first kernel. */
  sessionStarted(seconds: number): void;
}

/** The times of an execution that is done. */
export function timesOf(execution: Execution): ExecutionTimes | undefined {
  const { end, startedAt, queuedAt, finishedAt } = execution;
  if (end === undefined || finishedAt === undefined) return undefined;
  const { reason } = end;
  if (startedAt === undefined) return { reason, queuedSeconds: null, runSeconds: null };
  const seconds = (from: Date, to: Date): number => (to.getTime() - from.getTime()) / 1000;
  return { reason, queuedSeconds: seconds(queuedAt, startedAt), runSeconds: seconds(startedAt, finishedAt) };
}
