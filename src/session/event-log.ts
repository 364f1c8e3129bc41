/** The log of one execution's events: the synchronous answer, any number of readers, late and resuming ones all read it. */

/** An event with its number, from 1 in one execution. */
export interface NumberedEvent<T> {
  id: number;
  event: T;
}

/** Events as they are kept elsewhere, in their order. */
export interface EventSource<T> {
  /** Some of them; none where there are no more for now. */
  next(): Promise<NumberedEvent<T>[]>;
  close(): void;
}

/** What a log is made with. */
export interface EventLogOptions<T> {
  /** Reads all events from where they are kept for good, so that only the latest need be in memory. */
  open: () => EventSource<T>;
  /** What an event takes in memory; 0 for one that is kept nowhere else. */
  sizeOf: (event: T) => number;
  /** What the events in memory may take together. */
  maxSize: number;
}

/**
 * An append-only log that readers pull from at their own pace, so that a slow reader costs no memory and slows nobody.
 * An event may be withdrawn (a display's earlier state): readers that have not read it yet skip it.
 */
export class EventLog<T> {
  readonly #options: EventLogOptions<T> | undefined;
  /** Those in memory: the first has the number after `#before`. */
  #events: (T | undefined)[] = [];
  #before = 0;
  #size = 0;
  /** Number of the last event that is kept elsewhere, too. */
  #lastKept = 0;
  #closed = false;
  #discarded = false;
  #waiters: (() => void)[] = [];

  /** @param options By default all events are in memory. */
  constructor(options?: EventLogOptions<T>) {
    this.#options = options;
  }

  /** Number of the last event, 0 where there is none. */
  get lastId(): number {
    return this.#before + this.#events.length;
  }

  /** Whether the time to keep the events is over. */
  get discarded(): boolean {
    return this.#discarded;
  }

  /** What the events in memory take. */
  get size(): number {
    return this.#size;
  }

  /** Adds an event and wakes the readers; returns its number. Ignored (0) once closed. */
  append(event: T): number {
    if (this.#closed) return 0;
    this.#events.push(event);
    if (this.#options !== undefined) {
      const size = this.#options.sizeOf(event);
      this.#size += size;
      if (size > 0) this.#lastKept = this.lastId;
      // Half of it at a time: to take one out costs as much as to take out many.
      if (this.#size > this.#options.maxSize) this.shrink(this.#options.maxSize / 2);
    }
    this.#wake();
    return this.lastId;
  }

  /** Takes an event's content out of the log; its number is not used again. */
  withdraw(id: number): void {
    const at = id - this.#before - 1;
    const event = this.#events[at];
    if (event === undefined) return;
    this.#size -= this.#options?.sizeOf(event) ?? 0;
    this.#events[at] = undefined;
  }

  /** Keeps no more than this of the events in memory, the latest. */
  shrink(maxSize: number): void {
    if (this.#options === undefined) return;
    let count = 0;
    while (this.#size > maxSize && count < this.#events.length) {
      const event = this.#events[count];
      if (event !== undefined) this.#size -= this.#options.sizeOf(event);
      count += 1;
    }
    this.#events.splice(0, count);
    this.#before += count;
  }

  /** Begins behind events that are all kept elsewhere. */
  beginAfter(id: number): void {
    this.#before = id;
    this.#lastKept = id;
  }

  /** No more events will come: readers end after the last one. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** The time to keep the events is over; readers that are under way still read to the end. */
  discard(): void {
    this.#discarded = true;
    this.close();
  }

  /**
   * Reads every event after number `afterId`, then waits for more, until the log is closed or the signal aborts.
   * @param afterId A number that the log has not reached is none of its own (of an earlier execution with the same id): all is read.
   */
  async *read(afterId = 0, signal?: AbortSignal): AsyncGenerator<NumberedEvent<T>, void, undefined> {
    if (this.#discarded) return;
    let last = afterId > 0 && afterId <= this.lastId ? afterId : 0;
    let source: EventSource<T> | undefined;
    const wake = (): void => this.#wake();
    signal?.addEventListener("abort", wake);
    try {
      for (;;) {
        while (last < this.lastId && !isAborted(signal)) {
          if (last >= this.#before) {
            const event = this.#events[last - this.#before];
            last += 1;
            if (event !== undefined) yield { id: last, event };
            continue;
          }
          source ??= this.#options?.open();
          const events = (await source?.next()) ?? [];
          for (const numbered of events) {
            // What came too late for the log is no event of it.
            if (numbered.id <= last || numbered.id > this.#lastKept) continue;
            if (isAborted(signal)) return;
            last = numbered.id;
            yield numbered;
          }
          // What is not there has been withdrawn.
          if (events.length === 0) last = Math.max(last, this.#before);
        }
        if (this.#closed || isAborted(signal)) return;
        await new Promise<void>((resolve) => this.#waiters.push(resolve));
      }
    } finally {
      source?.close();
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
