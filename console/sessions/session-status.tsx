/** What a session is doing, as a dot and a word. */
import type { JSX } from "preact";
import type { SessionInfo } from "../../src/client/index.ts";

/** The states that a person tells apart. */
export type LiveState = "busy" | "idle" | "stopped" | "starting" | "unknown";

const WORDS: Record<LiveState, string> = {
  busy: "Busy",
  idle: "Idle",
  stopped: "Stopped",
  starting: "Restarting",
  unknown: "Unknown",
};

const MEANINGS: Record<LiveState, string> = {
  busy: "Code runs or waits",
  idle: "The kernel waits for code",
  stopped: "The kernel has ended; the next execution starts a fresh one",
  starting: "A fresh kernel starts",
  unknown: "The server does not answer",
};

/** The state that the server says. */
export function liveStateOf(info: Pick<SessionInfo, "status" | "busy">): LiveState {
  if (info.busy === true) return "busy";
  return info.status === "running" ? "idle" : "stopped";
}

/** A dot and a word. */
export function StatusPill({ state }: { state: LiveState }): JSX.Element {
  return (
    <span class={`status status-${state}`} title={MEANINGS[state]}>
      <span class="dot" aria-hidden="true" />
      {WORDS[state]}
    </span>
  );
}
