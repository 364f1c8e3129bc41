/** Ending a kernel's process group: asked first, then killed, with all that the kernel started and that stayed in the group. */
import { setTimeout as delay } from "node:timers/promises";

/** What ending takes. */
export interface TerminationOptions {
  /** The leader of the group, which is the kernel. */
  pid: number;
  /** Resolves when the leader has ended. */
  exited: Promise<unknown>;
  /** How long the group has after SIGTERM; 0: SIGKILL at once. */
  graceMs: number;
}

/** What a kernel started has this long to follow it before it is killed. */
const FOLLOWERS_MS = 200;
const POLL_MS = 10;

/** SIGKILL can wait for a system call that hangs, as on a lost network disk; that must not hold up everything else. */
const KILL_LIMIT_MS = 10_000;

/** Resolves when the leader has ended and what is left of its group has been killed, or ten seconds after it could not be. */
export async function terminateGroup({ pid, exited, graceMs }: TerminationOptions): Promise<void> {
  if (graceMs > 0 && signalGroup(pid, "SIGTERM")) {
    const deadline = Date.now() + graceMs;
    await endsWithin(exited, graceMs);
    await groupEndsWithin(pid, Math.min(FOLLOWERS_MS, deadline - Date.now()));
  }
  signalGroup(pid, "SIGKILL");
  await endsWithin(exited, KILL_LIMIT_MS);
}

/** Sends a signal to a process group; false where nobody of it is left. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  // 0 would be our own group, 1 every process there is.
  if (pid <= 1) return false;
  try {
    // Windows has no process groups.
    process.kill(process.platform === "win32" ? pid : -pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Whether it resolves within the time. */
async function endsWithin(exited: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  const timeout = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([exited.then(() => true), timeout]);
  } finally {
    timer.abort();
  }
}

/** There is no event for the end of a group. */
async function groupEndsWithin(pid: number, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (signalGroup(pid, 0) && Date.now() < deadline) await delay(POLL_MS);
}
