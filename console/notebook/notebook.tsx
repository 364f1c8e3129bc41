/** The cells of a session, and how the keyboard moves among them. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { CellView, type CellHandle } from "./cell-view.tsx";
import type { Cell } from "./cell.ts";
import type { SessionModel } from "./session-model.ts";

/** @param model Of a session that exists. */
export function Notebook({ model }: { model: SessionModel }): JSX.Element {
  const handles = useRef(new Map<Cell, CellHandle>());
  const page = useRef<HTMLDivElement>(null);
  const cells = model.cells.value;
  const wanted = model.wantedFocus.value;

  useEffect(() => {
    if (wanted === null) return;
    model.wantedFocus.value = null;
    const handle = handles.current.get(wanted.cell);
    if (wanted.part === "cell") handle?.select();
    else handle?.edit();
  }, [wanted, model]);

  useEffect(() => (page.current === null ? undefined : keepEndInView(page.current)), []);

  const neighbour = (cell: Cell, step: 1 | -1): CellHandle | undefined => {
    const all = model.cells.peek();
    const other = all[all.indexOf(cell) + step];
    return other === undefined ? undefined : handles.current.get(other);
  };

  return (
    <div ref={page} class="notebook" role="feed" aria-label="Cells" aria-busy={model.isBusy.value}>
      {model.earlierCount.value > 0 && (
        <Button kind="quiet" class="earlier" onClick={() => model.showEarlier()}>
          Show earlier executions ({model.earlierCount.value})
        </Button>
      )}
      {cells.length === 1 && model.info.value !== null && cells[0]?.state.value === "draft" && (
        <div class="welcome">
          <h2>{model.info.value.execution_count === 0 ? "A fresh kernel" : "Ready"}</h2>
          <p class="muted">
            Write Python below and run it with <kbd>Shift</kbd> <kbd>Enter</kbd>. Drop files anywhere on this page to upload them into the
            session’s folder.
          </p>
        </div>
      )}
      {cells.map((cell, index) => (
        <CellView
          key={cell.key}
          cell={cell}
          model={model}
          number={index + 1}
          isLast={index === cells.length - 1}
          onHandle={(handle) => {
            if (handle === null) handles.current.delete(cell);
            else handles.current.set(cell, handle);
          }}
          neighbour={(step) => neighbour(cell, step)}
        />
      ))}
    </div>
  );
}

/** Output that grows pushes the last cell down; who sees that cell goes on seeing it. */
function keepEndInView(page: HTMLElement): () => void {
  let isEndSeen = false;
  const seen = new IntersectionObserver((entries) => {
    const last = entries.at(-1);
    if (last?.target === page.lastElementChild) isEndSeen = last.isIntersecting;
  });
  let watched: Element | null = null;
  // Told of the new size before anything is said of who is seen with it.
  const grown = new ResizeObserver(() => {
    const end = page.lastElementChild;
    if (end !== watched) {
      if (watched !== null) seen.unobserve(watched);
      if (end !== null) seen.observe(end);
      watched = end;
    }
    if (isEndSeen) end?.scrollIntoView({ block: "nearest" });
  });
  grown.observe(page);
  return () => {
    grown.disconnect();
    seen.disconnect();
  };
}
