/** Who wants to know what happens in sessions: names and times, never code. */
import type { EndReason } from "../api/index.ts";
import type { Execution } from "./execution.ts";
import type { KernelStarter } from "./live-kernel.ts";

/** How an execution went. */
export interface ExecutionTimes {
  sessionId: string;
  executionId: string;
  reason: EndReason;
  queuedAt: Date;
  /** When the code was sent to the kernel; undefined where it never was. */
  startedAt: Date | undefined;
  finishedAt: Date;
}

/** How long something took, and of which session. */
export interface SessionTimes {
  sessionId: string;
  beganAt: Date;
  finishedAt: Date;
}

/** Told of what happens, at its end; must not throw. */
export interface SessionObserver {
  executionEnded(times: ExecutionTimes): void;
  /** A session got its first kernel. */
  sessionStarted(times: SessionTimes): void;
  /** A session was given a kernel, its first one or a later one, or could not be given one. */
  kernelStarted(times: SessionTimes & { isSuccess: boolean }): void;
}

/** The times of an execution that is done. */
export function timesOf(sessionId: string, execution: Execution): ExecutionTimes | undefined {
  const { end, startedAt, queuedAt, finishedAt } = execution;
  if (end === undefined || finishedAt === undefined) return undefined;
  return { sessionId, executionId: execution.id, reason: end.reason, queuedAt, startedAt, finishedAt };
}

/** A starter that tells how long each start took. */
export function observedStarter(start: KernelStarter, observer: SessionObserver): KernelStarter {
  return async (request, signal) => {
    const { sessionId } = request;
    const beganAt = new Date();
    let isSuccess = false;
    try {
      const kernel = await start(request, signal);
      isSuccess = true;
      return kernel;
    } finally {
      observer.kernelStarted({ sessionId, beganAt, finishedAt: new Date(), isSuccess });
    }
  };
}

/** One observer for several. */
export function allOf(observers: readonly SessionObserver[]): SessionObserver {
  return {
    executionEnded: (times) => observers.forEach((observer) => observer.executionEnded(times)),
    sessionStarted: (times) => observers.forEach((observer) => observer.sessionStarted(times)),
    kernelStarted: (times) => observers.forEach((observer) => observer.kernelStarted(times)),
  };
}
