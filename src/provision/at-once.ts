/** Ends processes without a wait, for the moment in which the server's own process ends. */
import { readdirSync, readFileSync } from "node:fs";
import { signalGroup } from "./termination.ts";

/** A signal reaches a running process within microseconds; a look at it takes some, too. */
const MOST_LOOKS = 10_000;

/** Kills a process and the group that it leads, where it leads one by now. */
export function killNow(pid: number): void {
  signalGroup(pid, "SIGKILL");
  send(pid, "SIGKILL");
}

/** Stops a process; when this returns it starts no other any more. */
export function stopNow(pid: number): void {
  if (!send(pid, "SIGSTOP") || process.platform !== "linux") return;
  for (let looks = 0; looks < MOST_LOOKS && /\) [^TtZX]/.test(read(`/proc/${pid}/stat`)); looks += 1);
}

/** Processes that it has started, and those that they have; only Linux tells. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

function childrenOf(pid: number): number[] {
  let threads: string[] = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    // It has ended.
  }
  return threads.flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).trim().split(" ").filter(Boolean).map(Number));
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  // 0 would be our own group.
  if (pid <= 1) return false;
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
