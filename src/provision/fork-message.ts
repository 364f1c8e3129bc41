/** What the fork server and the kernels that it forks tell, one JSON line each. */
import type { KernelExit } from "./provisioner.ts";

/** A line that was understood. */
export type ForkMessage =
  | { kind: "prepared" }
  | { kind: "forked"; id: string; pid: number }
  | { kind: "ready"; id: string }
  | { kind: "fork_failed"; id: string; error: string }
  | { kind: "exited"; pid: number; exit: KernelExit };

/** Undefined for whatever is no message: user's code shares the process of whoever writes here. */
export function readForkMessage(line: string): ForkMessage | undefined {
  const message = parseObject(line);
  const { pid } = message;
  if (message["prepared"] === true) return { kind: "prepared" };
  if (typeof message["forked"] === "string" && isProcess(pid)) return { kind: "forked", id: message["forked"], pid };
  if (typeof message["ready"] === "string") return { kind: "ready", id: message["ready"] };
  if (typeof message["fork_failed"] === "string")
    return { kind: "fork_failed", id: message["fork_failed"], error: String(message["error"]) };
  if (isProcess(message["exited"])) return { kind: "exited", pid: message["exited"], exit: exitOf(message) };
  return undefined;
}

/** 0 and below would be whole groups to whoever sends a signal. */
function isProcess(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 1;
}

function parseObject(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function exitOf(message: Record<string, unknown>): KernelExit {
  const { exit_code: exitCode, signal } = message;
  return {
    exitCode: typeof exitCode === "number" ? exitCode : null,
    signal: typeof signal === "string" ? (signal as NodeJS.Signals) : null,
  };
}
