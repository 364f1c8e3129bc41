/** Every execution of the session, whoever began it. */
import type { JSX } from "preact";
import type { ExecutionResult, ExecutionSummary } from "../../src/client/index.ts";
import type { SessionModel } from "../notebook/session-model.ts";
import { now } from "../ui/clock.ts";
import { formatClock, formatDuration } from "../ui/format.ts";

/** Shown at once. */
const MOST_SHOWN = 200;

/** A list, newest first; each leads to its cell. */
export function HistoryPanel({ model }: { model: SessionModel }): JSX.Element {
  const executions = model.executions.value;
  if (executions.length === 0) {
    return (
      <div class="panel-empty">
        <p>Nothing has run</p>
        <p class="muted">Executions of all clients show here, with when they ran and for how long.</p>
      </div>
    );
  }
  return (
    <>
      <ol class="history" aria-label="Executions, newest first">
        {executions
          .slice(-MOST_SHOWN)
          .toReversed()
          .map((execution) => (
            <HistoryRow key={execution.execution_id} execution={execution} model={model} />
          ))}
      </ol>
      {executions.length > MOST_SHOWN && <p class="muted">{executions.length - MOST_SHOWN} earlier ones.</p>}
    </>
  );
}

function HistoryRow({ execution, model }: { execution: ExecutionSummary; model: SessionModel }): JSX.Element {
  const cell = model.cells.value.find((one) => one.executionId.value === execution.execution_id);
  const result = cell?.view.value.run?.result ?? null;
  const outcome = execution.state === "done" ? outcomeOf(result) : execution.state;
  const firstLine = cell?.ranCode.value?.trim().split("\n", 1)[0] ?? "";
  return (
    <li>
      <button type="button" onClick={() => model.reveal(execution.execution_id)} title={execution.execution_id}>
        <span class={`outcome outcome-${outcome}`} aria-hidden="true" />
        <span class="history-code">{firstLine === "" ? execution.execution_id : firstLine}</span>
        <span class="history-facts">
          {formatClock(execution.queued_at)} · {tookText(execution)}
          {outcome === "bad" && " · failed"}
          {outcome === "ended" && " · interrupted"}
        </span>
      </button>
    </li>
  );
}

/** `done` where its result has not been read. */
function outcomeOf(result: ExecutionResult | null): "done" | "ok" | "ended" | "bad" {
  if (result === null) return "done";
  if (result.is_success) return "ok";
  return result.reason === "interrupted" || result.reason === "cancelled" ? "ended" : "bad";
}

function tookText({ state, started_at: started, finished_at: finished }: ExecutionSummary): string {
  if (started === null) return state === "done" ? "never started" : "queued";
  return formatDuration((finished === null ? now.value : Date.parse(finished)) - Date.parse(started));
}
