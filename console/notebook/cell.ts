/** One cell of the page: the code in its editor, and the run that its output comes from. */
import { computed, signal } from "@preact/signals";
import type { ExecutionEvent } from "../../src/client/index.ts";
import type { Run } from "./run.ts";

/** Where a cell is: `draft` has not run, `waiting` runs when those before it have ended. */
export type CellState = "draft" | "waiting" | "loading" | "queued" | "running" | "done";

let count = 0;

/** Tells cells apart for as long as the page is there. */
function nextKey(): number {
  count += 1;
  return count;
}

/** A cell. */
export class Cell {
  readonly key = nextKey();
  /** What the editor holds. */
  readonly code = signal("");
  /** The code of the run; null where none has run. */
  readonly ranCode = signal<string | null>(null);
  /** Set once the execution is chosen, before it is known to the server. */
  readonly executionId = signal<string | null>(null);
  /** What went wrong on the way to the server. */
  readonly problem = signal<string | null>(null);
  readonly #run = signal<Run | null>(null);
  /** Changes once a frame at most, however fast events come. */
  readonly #version = signal(0);
  readonly #isWaiting = signal(false);
  readonly #isLoading = signal(false);
  #isFrameAsked = false;

  /** The run as of the last frame; read it anew for each change. */
  readonly view = computed(() => ({ run: this.#run.value, version: this.#version.value }));
  readonly state = computed<CellState>(() => {
    if (this.#isWaiting.value) return "waiting";
    if (this.#isLoading.value) return "loading";
    return this.view.value.run?.state ?? "draft";
  });

  constructor(code = "") {
    this.code.value = code;
  }

  get run(): Run | null {
    return this.#run.peek();
  }

  /** Stands in the queue of this page. */
  wait(): void {
    this.#isWaiting.value = true;
    this.problem.value = null;
  }

  /** Leaves the queue. */
  stopWaiting(): void {
    this.#isWaiting.value = false;
  }

  /** An execution that exists and is still to be read. */
  load(executionId: string): void {
    this.executionId.value = executionId;
    this.#isLoading.value = true;
  }

  /** A run begins in this cell. */
  begin(run: Run, code: string): void {
    this.#isWaiting.value = false;
    this.problem.value = null;
    this.ranCode.value = code;
    this.executionId.value = run.executionId;
    this.show(run);
  }

  /** Shows a run in place of what was there. */
  show(run: Run): void {
    this.#isLoading.value = false;
    this.#run.value = run;
    this.refresh();
  }

  /** Takes an event of a run; the first one of another run puts that in place. */
  take(run: Run, event: ExecutionEvent): void {
    run.apply(event);
    if (this.#run.peek() !== run) this.show(run);
    this.refresh();
  }

  /** The run could not be had. */
  fail(problem: string): void {
    this.#isWaiting.value = false;
    this.#isLoading.value = false;
    this.problem.value = problem;
  }

  /** Forgets a run that never reached the server. */
  forget(): void {
    this.#run.value = null;
    this.executionId.value = null;
    this.ranCode.value = null;
  }

  /** Lets the page see the run as it is now. */
  refresh(): void {
    // The end is shown at once, also where no frame is drawn.
    if (this.#run.peek()?.state === "done") {
      this.#version.value += 1;
      return;
    }
    if (this.#isFrameAsked) return;
    this.#isFrameAsked = true;
    requestAnimationFrame(() => {
      this.#isFrameAsked = false;
      this.#version.value += 1;
    });
  }
}
