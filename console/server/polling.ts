/** Asks again and again while the page is looked at. */
import { isFault } from "../../src/client/index.ts";
import type { ServerLink } from "./link.ts";

/** How long one round may take before the connection counts as dead. */
export const POLL_TIMEOUT_MS = 8_000;

/**
 * Runs a task now, then after each pause, and at once when the page is shown again or the connection is back.
 * Nothing runs while the page is hidden or a key is awaited.
 * @param task Its faults end its round only.
 * @returns Ends it.
 */
export function pollWhileVisible(link: ServerLink, task: (signal: AbortSignal) => Promise<void>, pauseMs: number): () => void {
  const ending = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isWanted = false;

  const round = async (): Promise<void> => {
    clearTimeout(timer);
    if (ending.signal.aborted || document.hidden || link.keyQuestion.value !== null) return;
    if (isRunning) {
      isWanted = true;
      return;
    }
    isRunning = true;
    isWanted = false;
    try {
      await task(ending.signal);
    } catch (error) {
      if (isFault(error, "timeout")) link.noteSilence();
      else if (!isFault(error)) console.error(error);
    }
    isRunning = false;
    if (ending.signal.aborted) return;
    timer = setTimeout(begin, isWanted ? 0 : pauseMs);
  };
  const begin = (): void => void round();

  const stopListening = link.returns.subscribe(begin);
  document.addEventListener("visibilitychange", begin);
  return () => {
    ending.abort();
    clearTimeout(timer);
    stopListening();
    document.removeEventListener("visibilitychange", begin);
  };
}
