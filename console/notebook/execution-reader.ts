/** Reads executions that this page did not begin: what they were, and live what they write. */
import { isFault, type ExecutionResult, type ExecutionStatus } from "../../src/client/index.ts";
import type { ServerLink } from "../server/link.ts";
import { attend, isPassing, returnOf } from "./attend.ts";
import type { Cell } from "./cell.ts";
import { Run } from "./run.ts";

/** What reading takes. */
export interface ExecutionReaderOptions {
  link: ServerLink;
  sessionId: string;
  /** Ends all reading. */
  ending: AbortSignal;
  /** Told the result of each. */
  onResult: (result: ExecutionResult) => void;
}

/** Executions read at the same time. A browser holds six connections to a server at most, over all of its tabs. */
const MOST_READS = 2;
/** Later than this after its end an execution's stream is hardly kept any more. */
const STREAM_KEPT_MS = 9 * 60_000;

/** Reads in the order asked for, the newest finished ones first; of those that still run one at a time is followed. */
export class ExecutionReader {
  readonly #options: ExecutionReaderOptions;
  readonly #toRead: { cell: Cell; executionId: string }[] = [];
  readonly #toFollow: { cell: Cell; executionId: string }[] = [];
  #reads = 0;
  #isFollowing = false;

  constructor(options: ExecutionReaderOptions) {
    this.#options = options;
  }

  /** Fills a cell. */
  read(cell: Cell, executionId: string): void {
    cell.load(executionId);
    this.#toRead.push({ cell, executionId });
    this.#readNext();
  }

  #readNext(): void {
    while (this.#reads < MOST_READS && !this.#options.ending.aborted) {
      const next = this.#toRead.pop();
      if (next === undefined) return;
      this.#reads += 1;
      this.#readOne(next.cell, next.executionId)
        .catch((error: unknown) => fail(next.cell, error))
        .finally(() => {
          this.#reads -= 1;
          this.#readNext();
        });
    }
  }

  async #readOne(cell: Cell, executionId: string): Promise<void> {
    const { link, sessionId, ending, onResult } = this.#options;
    const status = await this.#statusOf(executionId);
    const code = status.code ?? "";
    cell.ranCode.value = code;
    if (cell.code.peek() === "") cell.code.value = code;
    const { result } = status;
    if (result === undefined) {
      const run = new Run(executionId);
      run.state = status.state;
      cell.show(run);
      this.#toFollow.push({ cell, executionId });
      this.#followNext();
    } else if (Date.now() - Date.parse(result.finished_at) < STREAM_KEPT_MS) {
      // Only the stream says in which order text and pictures came.
      await attend({ link, sessionId, cell, run: new Run(executionId), ending });
      onResult(result);
    } else {
      cell.show(Run.ofResult(result));
      onResult(result);
    }
  }

  async #statusOf(executionId: string): Promise<ExecutionStatus> {
    const { link, sessionId, ending } = this.#options;
    for (;;) {
      const returnsBefore = link.returns.peek();
      try {
        return await link.client.getExecution(sessionId, executionId, { signal: ending });
      } catch (error) {
        if (ending.aborted || !isPassing(error)) throw error;
      }
      await returnOf(link, returnsBefore, ending);
    }
  }

  #followNext(): void {
    const next = this.#isFollowing ? undefined : this.#toFollow.shift();
    if (next === undefined) return;
    const { link, sessionId, ending, onResult } = this.#options;
    this.#isFollowing = true;
    attend({ link, sessionId, cell: next.cell, run: new Run(next.executionId), ending })
      .then((result) => {
        if (result !== null) onResult(result);
      })
      .catch((error: unknown) => fail(next.cell, error))
      .finally(() => {
        this.#isFollowing = false;
        this.#followNext();
      });
  }
}

function fail(cell: Cell, error: unknown): void {
  if (isFault(error, "aborted")) return;
  cell.fail(error instanceof Error ? error.message : String(error));
}
