/** Timers of any length: Node's own fire at once where they are set for more than 24.8 days. */

const LONGEST_MS = 2 ** 31 - 1;

/** Calls `action` once after the time; holds the process open for nobody. @returns Ends the wait. */
export function startTimer(milliseconds: number, action: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const partMs = Math.min(Math.max(0, leftMs), LONGEST_MS);
    timer = setTimeout(() => (leftMs > partMs ? wait(leftMs - partMs) : action()), partMs);
    timer.unref();
  };
  wait(milliseconds);
  return () => clearTimeout(timer);
}
