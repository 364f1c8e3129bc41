/** The log of one execution's events: the synchronous answer, any number of readers, late and resuming ones all read it. */

/** An event with its number, from 1 in one execution. */
export interface NumberedEvent<T> {
  id: number;
  event: T;
}

/**
 * An append-only log that readers pull from at their own pace, so that a slow reader costs no memory and slows nobody.
 * An event may be withdrawn (a display's earlier state): readers that have not read it yet skip it.
 */
export class EventLog<T> {
  #events: (T | undefined)[] = [];
  #closed = false;
  #discarded = false;
  #waiters: (() => void)[] = [];

  /** Number of the last event, 0 where there is none. */
  get lastId(): number {
    return this.#events.length;
  }

  /** Whether the events are gone because the time to keep them is over. */
  get discarded(): boolean {
    return this.#discarded;
  }

  /** Adds an event and wakes the readers; returns its number. Ignored (0) once closed. */
  append(event: T): number {
    if (this.#closed) return 0;
    this.#events.push(event);
    this.#wake();
    return this.#events.length;
  }

  /** Takes an event's content out of the log; its number is not used again. */
  withdraw(id: number): void {
    if (id >= 1 && id <= this.#events.length) this.#events[id - 1] = undefined;
  }

  /** No more events will come: readers end after the last one. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Forgets the events; readers that are under way still read to the end. */
  discard(): void {
    this.#discarded = true;
    // A new array: the old one lives on as long as somebody reads it.
    this.#events = [];
    this.close();
  }

  /**
   * Reads every event after number `afterId`, then waits for more, until the log is closed or the signal aborts.
   * @param afterId A number that the log has not reached is none of its own (of an earlier execution with the same id): all is read.
   */
  async *read(afterId = 0, signal?: AbortSignal): AsyncGenerator<NumberedEvent<T>, void, undefined> {
    const events = this.#events;
    let next = afterId > 0 && afterId <= events.length ? afterId : 0;
    const wake = (): void => this.#wake();
    signal?.addEventListener("abort", wake);
    try {
      for (;;) {
        while (next < events.length) {
          if (isAborted(signal)) return;
          const event = events[next];
          next += 1;
          if (event !== undefined) yield { id: next, event };
        }
        if (this.#closed || isAborted(signal)) return;
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
      }
    } finally {
      signal?.removeEventListener("abort", wake);
    }
  }

  #wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
