/** The bar of a session's page: its name, what it is doing, and what can be done with it. */
import type { JSX } from "preact";
import { liveStateOf, StatusPill, type LiveState } from "../sessions/session-status.tsx";
import { confirmRestart, confirmStop } from "../sessions/session-row.tsx";
import { Button, IconButton } from "../ui/button.tsx";
import { now } from "../ui/clock.ts";
import { formatBytes, formatDuration } from "../ui/format.ts";
import { TopBar } from "../ui/top-bar.tsx";
import type { SessionModel } from "./session-model.ts";

/** @param onShortcuts Somebody wants to see the keys. */
export function SessionBar({ model, onShortcuts }: { model: SessionModel; onShortcuts: () => void }): JSX.Element {
  const info = model.info.value;
  const state = stateOf(model);
  return (
    <TopBar link={model.link}>
      <div class="crumb">
        <span class="crumb-slash" aria-hidden="true">
          /
        </span>
        <h1 title={info === null ? undefined : `${info.kernel} in ${info.cwd}`}>{model.sessionId}</h1>
        <StatusPill state={state} />
        <span class="session-facts">{factsOf(model)}</span>
      </div>
      {!model.isGone.value && (
        <div class="session-actions" role="toolbar" aria-label="Session">
          <Button icon="play" onClick={() => model.runAll()} hint="Run every cell, from the first">
            Run all
          </Button>
          <Button icon="stop" disabled={state !== "busy"} onClick={() => void model.interrupt()} hint="Interrupt what runs (Ctrl-.)">
            Interrupt
          </Button>
          <Button
            icon="restart"
            disabled={state === "starting"}
            onClick={() => confirmRestart(model.sessionId, () => void model.restart())}
            hint="Give the session a fresh kernel"
          >
            Restart
          </Button>
          <IconButton icon="download" label="Save as a notebook (.ipynb)" onClick={() => void model.exportNotebook()} />
          <IconButton
            icon="power"
            label="Stop the session"
            onClick={() =>
              confirmStop(model.link, { session_id: model.sessionId, cwd: info?.cwd ?? "its folder" }, () => {
                location.hash = "#/";
              })
            }
          />
          <IconButton icon="keyboard" label="Keyboard shortcuts" hint="Keyboard shortcuts (?)" onClick={onShortcuts} />
        </div>
      )}
    </TopBar>
  );
}

function stateOf(model: SessionModel): LiveState {
  const info = model.info.value;
  if (model.isRestarting.value) return "starting";
  if (!model.link.isOnline.value || model.isGone.value || info === null) return "unknown";
  return model.isBusy.value ? "busy" : liveStateOf(info);
}

function factsOf(model: SessionModel): string {
  const info = model.info.value;
  if (info === null) return "";
  const idleMs = now.value - Date.parse(info.last_activity);
  const facts = [
    info.memory_bytes === undefined ? null : formatBytes(info.memory_bytes),
    model.isBusy.value || idleMs < 60_000 ? null : `idle for ${formatDuration(idleMs)}`,
  ];
  return facts.filter((fact) => fact !== null).join(" · ");
}
