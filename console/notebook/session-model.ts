/** One session as its page shows it: cells, what the server says of it, and everything a person can do with it. */
import { batch, computed, signal } from "@preact/signals";
import { isFault, type ExecutionResult, type ExecutionSummary, type SessionInfo, type VariableEntry } from "../../src/client/index.ts";
import type { ArtifactFiles } from "../output/artifact-view.tsx";
import type { ServerLink } from "../server/link.ts";
import { POLL_TIMEOUT_MS, pollWhileVisible } from "../server/polling.ts";
import { announce, notify, notifyError } from "../ui/notices.ts";
import { saveFile } from "../ui/save-file.ts";
import { attend } from "./attend.ts";
import { Cell } from "./cell.ts";
import { ExecutionReader } from "./execution-reader.ts";
import { arrange } from "./layout.ts";
import { PageMemory } from "./page-memory.ts";
import { Run } from "./run.ts";

/** A cell for the keyboard, as a whole or its editor. */
export interface WantedFocus {
  cell: Cell;
  part: "cell" | "editor";
}

const POLL_MS = 2_000;
/** Cells that are read at first; the earlier ones on request. */
const CELLS_AT_FIRST = 50;

/** What is live on the page of one session; {@link close} it when the page is left. */
export class SessionModel {
  readonly sessionId: string;
  readonly link: ServerLink;
  readonly info = signal<SessionInfo | null>(null);
  /** Whether the server says that there is no such session (any more). */
  readonly isGone = signal(false);
  /** Whether the session of this name is another one by now: nothing here is of it. */
  readonly isReplaced = signal(false);
  readonly cells = signal<Cell[]>([]);
  /** All executions that the server knows, oldest first. */
  readonly executions = signal<ExecutionSummary[]>([]);
  /** null before the first execution and after a restart. */
  readonly variables = signal<VariableEntry[] | null>(null);
  /** Changes when files may have changed. */
  readonly filesVersion = signal(0);
  readonly isRestarting = signal(false);
  /** The upload under way. */
  readonly uploading = signal<{ name: string; left: number } | null>(null);
  /** Reads and saves the session's files. */
  readonly files: ArtifactFiles = { read: (name) => this.#readFile(name), save: (name) => void this.#saveFile(name) };
  /** Executions without a cell because they are too far back. */
  readonly earlierCount = signal(0);
  /** Where the keyboard shall go once it is there. */
  readonly wantedFocus = signal<WantedFocus | null>(null);
  readonly activeCell = computed(
    () => this.cells.value.find((cell) => cell.state.value === "running" || cell.state.value === "queued") ?? null,
  );
  readonly isBusy = computed(() => this.activeCell.value !== null || this.cells.value.some((cell) => cell.state.value === "waiting"));
  readonly #ending = new AbortController();
  readonly #memory: PageMemory;
  readonly #reader: ExecutionReader;
  readonly #waiting: Cell[] = [];
  #sending: Cell | null = null;
  #mostCells = CELLS_AT_FIRST;
  #seenCount = -1;
  /** When the newest execution whose variables were looked at ended. */
  #newestFinish = "";
  #stopPolling: () => void = () => undefined;

  constructor(link: ServerLink, sessionId: string) {
    this.link = link;
    this.sessionId = sessionId;
    this.#memory = new PageMemory(sessionStorage, sessionId);
    this.#reader = new ExecutionReader({ link, sessionId, ending: this.#ending.signal, onResult: (result) => this.#noteResult(result) });
    this.cells.value = [new Cell(this.#memory.draft)];
  }

  /** Reads the session, and goes on looking. */
  open(): void {
    this.#stopPolling = pollWhileVisible(this.link, () => this.#poll(), POLL_MS);
  }

  /** Ends all looking and waiting; what runs goes on. Idempotent. */
  close(): void {
    this.remember();
    this.#ending.abort();
    this.#stopPolling();
  }

  /** Queues a cell; it runs when those before it have ended without an error. */
  run(cell: Cell): void {
    if (cell.code.peek().trim() === "" || this.#waiting.includes(cell) || this.#sending === cell) return;
    const { state } = cell;
    if (state.peek() === "running" || state.peek() === "queued" || state.peek() === "loading") return;
    cell.wait();
    this.#waiting.push(cell);
    if (this.cells.peek().at(-1) === cell) this.cells.value = [...this.cells.peek(), new Cell()];
    this.#sendNext();
  }

  /** Queues every cell, from the first. */
  runAll(): void {
    for (const cell of this.cells.peek()) this.run(cell);
  }

  /** Interrupts what runs, and takes what waits off the queue. */
  async interrupt(): Promise<void> {
    this.#emptyQueue();
    const active = this.activeCell.peek()?.executionId.peek() ?? this.#newestUnfinished();
    if (active === null) return;
    try {
      await this.link.client.interrupt(this.sessionId, active, { timeoutMs: POLL_TIMEOUT_MS });
    } catch (error) {
      if (!isFault(error, "execution_done", "execution_not_found")) notifyError(error);
    }
  }

  /** Gives the session a fresh kernel. */
  async restart(): Promise<void> {
    this.#emptyQueue();
    this.isRestarting.value = true;
    try {
      this.info.value = await this.link.client.restart(this.sessionId);
      this.variables.value = null;
      notify("The session has a fresh kernel. Its variables are gone, its files and plugins are not.");
    } catch (error) {
      notifyError(error);
    } finally {
      this.isRestarting.value = false;
    }
  }

  /** Asks the server anew, after something that changes what it says. */
  async refreshInfo(): Promise<void> {
    this.info.value = await this.link.client.getSessionInfo(this.sessionId, { timeoutMs: POLL_TIMEOUT_MS });
  }

  /** Saves the session so far as a notebook. */
  async exportNotebook(): Promise<void> {
    try {
      const notebook = await this.link.client.exportNotebook(this.sessionId);
      saveFile(new Blob([`${JSON.stringify(notebook, null, 1)}\n`], { type: "application/x-ipynb+json" }), `${this.sessionId}.ipynb`);
    } catch (error) {
      notifyError(error);
    }
  }

  /** Answers what the code of a cell asks. */
  async answer(cell: Cell, text: string): Promise<void> {
    const { run } = cell;
    if (run === null) return;
    run.answering(text);
    try {
      await this.link.client.sendInput(this.sessionId, run.executionId, text);
      run.answered(text);
    } catch (error) {
      if (!isFault(error, "no_input_requested", "execution_done")) {
        run.answering(null);
        return notifyError(error);
      }
      run.answered("");
      notify("Nothing asks for input any more.");
    }
    cell.refresh();
  }

  /** Takes a cell off the page; its execution stays in the history. */
  remove(cell: Cell): void {
    const index = this.#waiting.indexOf(cell);
    if (index >= 0) this.#waiting.splice(index, 1);
    const id = cell.executionId.peek();
    if (id !== null) this.#memory.hide(id);
    const rest = this.cells.peek().filter((other) => other !== cell);
    this.cells.value = rest.length === 0 ? [new Cell()] : rest;
    this.remember();
  }

  /** Puts an empty cell behind another, and the keyboard into it. */
  insertAfter(cell: Cell): void {
    const cells = this.cells.peek();
    const fresh = new Cell();
    batch(() => {
      this.cells.value = cells.toSpliced(cells.indexOf(cell) + 1, 0, fresh);
      this.wantedFocus.value = { cell: fresh, part: "editor" };
    });
  }

  /** Moves the keyboard into the cell behind another. */
  editNext(cell: Cell): void {
    const cells = this.cells.peek();
    const next = cells[cells.indexOf(cell) + 1];
    if (next !== undefined) this.wantedFocus.value = { cell: next, part: "editor" };
  }

  /** Shows the cell of an execution, and makes one where there is none. */
  reveal(executionId: string): void {
    let cell = this.cells.peek().find((one) => one.executionId.peek() === executionId);
    if (cell === undefined) {
      this.#memory.unhide(executionId);
      cell = this.#addCell(executionId);
      this.remember();
    }
    this.wantedFocus.value = { cell, part: "cell" };
  }

  /** Reads the cells that were left out because there are so many. */
  showEarlier(): void {
    this.#mostCells += CELLS_AT_FIRST;
    this.#mergeExecutions(this.executions.peek());
  }

  /** Keeps order and draft for when this tab comes back. */
  remember(): void {
    const cells = this.cells.peek();
    const order = cells.map((cell) => cell.executionId.peek()).filter((id) => id !== null);
    this.#memory.keep(order, cells.at(-1)?.executionId.peek() === null ? (cells.at(-1)?.code.peek() ?? "") : "");
  }

  async #poll(): Promise<void> {
    const { client } = this.link;
    const options = { signal: this.#ending.signal, timeoutMs: POLL_TIMEOUT_MS };
    try {
      const info = await client.getSessionInfo(this.sessionId, options);
      if (this.isGone.peek() || (this.info.peek()?.created_at ?? info.created_at) !== info.created_at) {
        this.isReplaced.value = true;
        return;
      }
      if (info.status === "stopped") this.variables.value = null;
      this.info.value = info;
      const hasUnknown = info.execution_count !== this.#seenCount || this.executions.peek().some((one) => one.state !== "done");
      if (!hasUnknown) return;
      const executions = await client.listExecutions(this.sessionId, options);
      this.#seenCount = info.execution_count;
      this.#mergeExecutions(executions.toReversed());
    } catch (error) {
      if (isFault(error, "session_not_found")) this.isGone.value = true;
      throw error;
    }
  }

  /** @param executions Oldest first. */
  #mergeExecutions(executions: ExecutionSummary[]): void {
    batch(() => {
      this.executions.value = executions;
      this.#noteStates(executions);
      const ids = arrange(
        executions.map((execution) => execution.execution_id),
        this.#memory.layout,
      );
      const shown = new Map(this.cells.peek().map((cell) => [cell.executionId.peek(), cell]));
      const missing = ids.filter((id) => !shown.has(id));
      const room = Math.max(0, this.#mostCells - (shown.size - 1));
      this.earlierCount.value = Math.max(0, missing.length - room);
      const added = missing.slice(this.earlierCount.value);
      if (added.length === 0) return;
      const isFirst = shown.size <= 1;
      for (const id of added) this.#addCell(id, !isFirst);
      if (!isFirst) this.#sortLike(ids);
    });
    this.remember();
  }

  #noteStates(executions: ExecutionSummary[]): void {
    const states = new Map(executions.map((execution) => [execution.execution_id, execution.state]));
    for (const cell of this.cells.peek()) {
      const state = states.get(cell.executionId.peek() ?? "");
      if (state === undefined || cell.run === null) continue;
      cell.run.noteState(state);
      cell.refresh();
    }
  }

  /** A cell for an execution that was not begun here, before the draft. */
  #addCell(executionId: string, isNews = false): Cell {
    const cell = new Cell();
    const cells = this.cells.peek();
    this.cells.value = [...cells.slice(0, -1), cell, ...cells.slice(-1)];
    this.#reader.read(cell, executionId);
    if (isNews) announce("Another client runs code in this session.");
    return cell;
  }

  /** Cells read later stand where their executions stand; drafts stay behind what they stood behind. */
  #sortLike(ids: string[]): void {
    const place = new Map(ids.map((id, index) => [id, index]));
    let last = -1;
    const keyed = this.cells.peek().map((cell) => {
      last = place.get(cell.executionId.peek() ?? "") ?? last + 0.001;
      return { cell, key: last };
    });
    this.cells.value = keyed.toSorted((one, other) => one.key - other.key).map(({ cell }) => cell);
  }

  #sendNext(): void {
    const cell = this.#waiting[0];
    if (cell === undefined || this.#sending !== null) return;
    this.#waiting.shift();
    this.#sending = cell;
    this.#send(cell)
      .then((isSuccess) => {
        if (!isSuccess) this.#emptyQueue();
      })
      .catch((error: unknown) => {
        this.#emptyQueue();
        cell.fail(error instanceof Error ? error.message : String(error));
      })
      .finally(() => {
        this.#sending = null;
        this.#sendNext();
      });
  }

  async #send(cell: Cell): Promise<boolean> {
    const code = cell.code.peek();
    const previousId = cell.executionId.peek();
    const run = new Run(newExecutionId());
    run.state = this.#newestUnfinished() === null ? "running" : "queued";
    cell.begin(run, code);
    this.remember();
    try {
      const result = await attend({
        link: this.link,
        sessionId: this.sessionId,
        cell,
        run,
        open: (client, options) => client.executeCode(this.sessionId, code, { ...options, executionId: run.executionId, allowInput: true }),
        ending: this.#ending.signal,
      });
      if (previousId !== null) this.#memory.hide(previousId);
      if (result === null) return false;
      this.#noteResult(result);
      announce(result.is_success ? "Done." : `Failed: ${result.error?.trim().split("\n").at(-1) ?? result.reason}`);
      return result.is_success;
    } catch (error) {
      cell.forget();
      throw isFault(error, "execution_not_found") ? new Error("The code did not reach the server. Run it again.", { cause: error }) : error;
    }
  }

  async #readFile(name: string): Promise<Blob> {
    const download = await this.link.client.downloadArtifact(this.sessionId, name, { signal: this.#ending.signal });
    // Gathered by the browser, which puts what is large on disk.
    return new Response(download.body).blob();
  }

  async #saveFile(name: string): Promise<void> {
    try {
      saveFile(await this.#readFile(name), name.split("/").at(-1) ?? name);
    } catch (error) {
      notifyError(error);
    }
  }

  #emptyQueue(): void {
    for (const cell of this.#waiting.splice(0)) cell.stopWaiting();
  }

  #newestUnfinished(): string | null {
    return this.executions.peek().find((one) => one.state !== "done")?.execution_id ?? null;
  }

  #noteResult(result: ExecutionResult): void {
    if (result.finished_at > this.#newestFinish) {
      this.#newestFinish = result.finished_at;
      if (this.info.peek()?.status !== "stopped") this.variables.value = result.variables;
    }
    this.filesVersion.value += 1;
    this.remember();
  }
}

/** Short, since it begins the names of the artifacts. */
function newExecutionId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `run-${[...bytes].map((byte) => (byte % 36).toString(36)).join("")}`;
}
