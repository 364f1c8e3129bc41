/** One cell: its editor, what runs it, and its output. */
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { readError } from "../output/traceback.ts";
import { IconButton } from "../ui/button.tsx";
import { CellOutput } from "./cell-output.tsx";
import { CellStatus } from "./cell-status.tsx";
import type { Cell } from "./cell.ts";
import { openEditor, type Editor } from "./editor.ts";
import type { SessionModel } from "./session-model.ts";

/** What a cell lets others do. */
export interface CellHandle {
  /** Moves the keyboard into the editor. */
  edit: (at?: "start" | "end") => void;
  /** Moves the keyboard to the cell as a whole, and the cell into view. */
  select: () => void;
}

interface CellViewProps {
  cell: Cell;
  model: SessionModel;
  /** From 1. */
  number: number;
  isLast: boolean;
  onHandle: (handle: CellHandle | null) => void;
  neighbour: (step: 1 | -1) => CellHandle | undefined;
}

/** A cell. */
export function CellView(props: CellViewProps): JSX.Element {
  const { cell, model, number, isLast } = props;
  const element = useRef<HTMLElement>(null);
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const latest = useRef(props);
  latest.current = props;

  const run = (then: "advance" | "stay" | "insert"): void => {
    model.run(cell);
    if (then === "insert") model.insertAfter(cell);
    else if (then === "advance") model.editNext(cell);
  };

  useLayoutEffect(() => {
    if (host.current === null) return;
    const opened = openEditor(host.current, {
      code: cell.code.peek(),
      label: `Code of cell ${number}`,
      placeholder: "Write Python. Shift-Enter runs it.",
      complete: (code, position, signal) => model.link.client.complete(model.sessionId, code, position, { signal, timeoutMs: 5_000 }),
      onChange: (code) => {
        cell.code.value = code;
      },
      onRun: run,
      onLeave: () => element.current?.focus(),
      onExit: (direction) => {
        const next = latest.current.neighbour(direction === "up" ? -1 : 1);
        next?.edit(direction === "up" ? "end" : "start");
        return next !== undefined;
      },
    });
    editor.current = opened;
    const stopFollowing = cell.code.subscribe((code) => opened.setCode(code));
    latest.current.onHandle({
      edit: (at) => {
        opened.focus(at);
        element.current?.scrollIntoView({ block: "nearest" });
      },
      select: () => {
        element.current?.scrollIntoView({ block: "center" });
        element.current?.focus({ preventScroll: true });
      },
    });
    if (latest.current.isLast && matchMedia("(pointer: fine)").matches) opened.focus("end");
    return () => {
      latest.current.onHandle(null);
      stopFollowing();
      opened.close();
    };
  }, [cell]);

  const { run: shown } = cell.view.value;
  const result = shown?.result ?? null;
  // An end that somebody asked for is no failure.
  const error = result?.reason === "error" ? result.error : null;
  const hasFailed = result !== null && !result.is_success && result.reason !== "interrupted" && result.reason !== "cancelled";
  useEffect(() => {
    editor.current?.setErrorLines(error === null ? [] : readError(error).cellLines);
  }, [error, shown]);

  const state = cell.state.value;
  const isActive = state === "running" || state === "queued" || state === "waiting";
  return (
    <article
      ref={element}
      class={`cell cell-${state} ${hasFailed ? "cell-failed" : ""}`}
      tabIndex={-1}
      aria-label={`Cell ${number}`}
      aria-posinset={number}
      aria-setsize={-1}
      onKeyDown={(event) =>
        onCellKey(event, element.current, { edit: () => editor.current?.focus(), model, cell, neighbour: props.neighbour })
      }
    >
      <div class="cell-input">
        <div class="cell-run">
          {isActive ? (
            <IconButton
              icon="stop"
              label={`Stop cell ${number}`}
              hint="Stop (Ctrl-.)"
              onClick={() => void model.interrupt()}
              class="stop-cell"
            />
          ) : (
            <IconButton icon="play" label={`Run cell ${number}`} hint="Run (Shift-Enter)" onClick={() => run("stay")} class="run-cell" />
          )}
        </div>
        <div class="cell-code" ref={host} />
        {!isLast && (
          <IconButton icon="close" label={`Take cell ${number} off the page`} class="remove-cell" onClick={() => model.remove(cell)} />
        )}
      </div>
      <CellOutput cell={cell} model={model} onLine={(line) => editor.current?.goTo(line)} />
      <CellStatus cell={cell} />
    </article>
  );
}

interface CellKeyTargets {
  edit: () => void;
  model: SessionModel;
  cell: Cell;
  neighbour: CellViewProps["neighbour"];
}

/** Keys of a selected cell; those that go to something in it are none of ours. */
function onCellKey(event: KeyboardEvent, element: HTMLElement | null, { edit, model, cell, neighbour }: CellKeyTargets): void {
  if (event.target !== element || event.composedPath()[0] !== element || event.ctrlKey || event.metaKey || event.altKey) return;
  const actions: Record<string, (() => void) | undefined> = {
    Enter: () => (event.shiftKey ? model.run(cell) : edit()),
    ArrowUp: () => neighbour(-1)?.select(),
    ArrowDown: () => neighbour(1)?.select(),
    k: () => neighbour(-1)?.select(),
    j: () => neighbour(1)?.select(),
    b: () => model.insertAfter(cell),
    Delete: () => {
      (neighbour(1) ?? neighbour(-1))?.select();
      model.remove(cell);
    },
  };
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}
