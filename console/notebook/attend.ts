/** Follows one execution to its end over broken connections, so that its output is complete again after each. */
import { isFault, type Execution, type ExecutionClient, type ExecutionEvent, type ExecutionResult } from "../../src/client/index.ts";
import type { ServerLink } from "../server/link.ts";
import type { Cell } from "./cell.ts";
import { Run } from "./run.ts";

/** What an opening is given. */
export interface OpeningOptions {
  onEvent: (event: ExecutionEvent) => void;
  signal: AbortSignal;
  timeoutMs: null;
}

/** What is attended. */
export interface Attendance {
  link: ServerLink;
  sessionId: string;
  cell: Cell;
  /** Takes the first events. */
  run: Run;
  /** Opens the execution the first time; by default it is followed from its first event, as it is each time after. */
  open?: (client: ExecutionClient, options: OpeningOptions) => Execution;
  /** Ends the wait. */
  ending: AbortSignal;
}

/** After the connection is back, a stream that shows nothing for this long is taken for dead and opened anew. */
const STALE_MS = 1_500;
const PAUSE_MS = 2_000;

/**
 * Attends an execution.
 * @returns The result; null where the wait was ended.
 * @throws ExecutionClientError where the server refuses.
 */
export async function attend(attendance: Attendance): Promise<ExecutionResult | null> {
  const { link, sessionId, cell, ending } = attendance;
  const { executionId } = attendance.run;
  const follow = (client: ExecutionClient, options: OpeningOptions): Execution => client.followExecution(sessionId, executionId, options);
  let open = attendance.open ?? follow;
  let run = attendance.run;
  while (!ending.aborted) {
    const current = run;
    const attempt = new AbortController();
    const signal = AbortSignal.any([ending, attempt.signal]);
    const returnsBefore = link.returns.peek();
    const stopWatching = endWhenStale(attendance, current, attempt);
    try {
      return await open(link.client, { onEvent: (event) => cell.take(current, event), signal, timeoutMs: null });
    } catch (error) {
      if (!isPassing(error) && !attempt.signal.aborted) throw error;
    } finally {
      stopWatching();
    }
    if (!attempt.signal.aborted) await returnOf(link, returnsBefore, ending);
    run = new Run(executionId);
    open = follow;
  }
  return null;
}

/** No answer at all, or a key that is asked for: later there may be more. */
export function isPassing(error: unknown): boolean {
  return isFault(error) && (error.statusCode === 0 || error.code === "unauthorized" || error.code === "unreachable");
}

/** A connection that died silently would be waited for in vain, while a new one gets all there is. */
function endWhenStale({ link, sessionId }: Attendance, run: Run, attempt: AbortController): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isFirst = true;
  const stopListening = link.returns.subscribe(() => {
    if (isFirst) {
      isFirst = false;
      return;
    }
    const version = run.version;
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (run.version !== version || run.state === "done") return;
      // Only of an execution that the server has; else it is still being sent.
      link.client.getExecution(sessionId, run.executionId).then(
        () => attempt.abort(),
        () => undefined,
      );
    }, STALE_MS);
  });
  return () => {
    clearTimeout(timer);
    stopListening();
  };
}

/** Resolves when the connection has come back since; or after a pause, where it was never seen to be gone. */
export function returnOf(link: ServerLink, returnsBefore: number, ending: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let stopListening: () => void = () => undefined;
    const finish = (): void => {
      clearInterval(timer);
      stopListening();
      ending.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setInterval(() => {
      if (link.isOnline.peek() && link.keyQuestion.peek() === null) finish();
    }, PAUSE_MS);
    ending.addEventListener("abort", finish, { once: true });
    stopListening = link.returns.subscribe((returns) => {
      if (returns > returnsBefore) queueMicrotask(finish);
    });
    if (ending.aborted) finish();
  });
}
