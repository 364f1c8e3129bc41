/** What the results of all executions that are done may take in memory together: the latest stay, others are read from their journals. */
import type { Execution } from "./execution.ts";

/** Results of all sessions of a server, the latest last. */
export class ResultMemory {
  readonly #maxBytes: number;
  readonly #held = new Map<Execution, number>();
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** One is done. The oldest leave memory where there is too much. */
  add(execution: Execution): void {
    this.#held.set(execution, execution.heldBytes);
    this.#heldBytes += execution.heldBytes;
    for (const [oldest] of this.#held) {
      if (this.#heldBytes <= this.#maxBytes || oldest === execution) return;
      this.remove(oldest);
      oldest.leaveMemory();
    }
  }

  /** One has left, or is not needed any more. */
  remove(execution: Execution): void {
    this.#heldBytes -= this.#held.get(execution) ?? 0;
    this.#held.delete(execution);
  }
}
