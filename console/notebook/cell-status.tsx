/** The line below a cell: how its run goes or how it ended. */
import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import type { EndReason } from "../../src/client/index.ts";
import { now } from "../ui/clock.ts";
import { formatClock, formatDuration } from "../ui/format.ts";
import { Icon } from "../ui/icon.tsx";
import type { Cell } from "./cell.ts";

const ENDINGS: Record<EndReason, string> = {
  completed: "Done",
  error: "Failed",
  interrupted: "Interrupted",
  timed_out: "Timed out",
  kernel_died: "The kernel died",
  out_of_memory: "Out of memory",
  cancelled: "Cancelled before it started",
  executor_lost: "The executor is lost",
};

/** Nothing for a draft. */
export function CellStatus({ cell }: { cell: Cell }): JSX.Element | null {
  const isEdited = useComputed(() => cell.ranCode.value !== null && cell.ranCode.value !== cell.code.value);
  const { run } = cell.view.value;
  const state = cell.state.value;
  if (cell.problem.value !== null) {
    return (
      <p class="cell-status cell-problem" role="alert">
        <Icon name="alert" />
        {cell.problem.value}
      </p>
    );
  }
  if (state === "draft") return null;
  const edited = isEdited.value ? <span class="edited">edited since</span> : null;
  const result = run?.result ?? null;
  if (result === null) {
    return (
      <p class="cell-status">
        <span class="spinner" aria-hidden="true" />
        {WORDS[state] ?? ""}
        {state === "running" && run !== null && <Elapsed sinceMs={run.begunMs} />}
        {edited}
      </p>
    );
  }
  const took = result.started_at === null ? "" : formatDuration(Date.parse(result.finished_at) - Date.parse(result.started_at));
  return (
    <p class={`cell-status cell-status-${result.is_success ? "ok" : isAsked(result.reason) ? "ended" : "bad"}`}>
      <Icon name={result.is_success ? "check" : isAsked(result.reason) ? "stop" : "alert"} />
      {ENDINGS[result.reason]}
      <span class="faint">
        {took} · {formatClock(result.finished_at)}
      </span>
      {!result.state_kept && <span class="lost-state">variables of before are lost</span>}
      {edited}
    </p>
  );
}

/** Whether somebody wanted it to end so. */
function isAsked(reason: EndReason): boolean {
  return reason === "interrupted" || reason === "cancelled";
}

const WORDS: Record<string, string | undefined> = {
  waiting: "Waits for the cell before",
  loading: "Reading",
  queued: "Queued",
  running: "Running",
};

function Elapsed({ sinceMs }: { sinceMs: number }): JSX.Element | null {
  const elapsedMs = now.value - sinceMs;
  return elapsedMs < 1_000 ? null : <span class="faint">{formatDuration(elapsedMs).replace(/\.\d/, "")}</span>;
}
