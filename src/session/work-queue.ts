/** The one queue of a session: executions and plugin work take their turns in the order received. */

/** A piece of work; {@link run} must not reject. */
export interface WorkItem {
  run(): Promise<void>;
  /** Called instead of run, where the item leaves the queue before its turn. */
  cancel(why: string): void;
}

/** Runs items one at a time. */
export class WorkQueue {
  #waiting: WorkItem[] = [];
  #running: WorkItem | undefined;
  #isStopped = false;
  readonly #idleListener: () => void;
  #idleWaiters: (() => void)[] = [];

  /** @param onIdle Called each time that nothing is left to do. */
  constructor(onIdle: () => void) {
    this.#idleListener = onIdle;
  }

  /** How many wait, without the one that runs. */
  get length(): number {
    return this.#waiting.length;
  }

  get idle(): boolean {
    return this.#running === undefined && this.#waiting.length === 0;
  }

  /** Resolves when nothing is left to do. */
  untilIdle(): Promise<void> {
    return this.idle ? Promise.resolve() : new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  add(item: WorkItem): void {
    this.#waiting.push(item);
    if (this.#running === undefined) void this.#pump();
  }

  /** Place among the waiting ones, from 1; undefined where it does not wait. */
  position(item: WorkItem): number | undefined {
    const index = this.#waiting.indexOf(item);
    return index < 0 ? undefined : index + 1;
  }

  /** Takes a waiting item out; false where it does not wait. */
  remove(item: WorkItem, why: string): boolean {
    const index = this.#waiting.indexOf(item);
    if (index < 0) return false;
    this.#waiting.splice(index, 1);
    item.cancel(why);
    return true;
  }

  /** Takes all waiting items out. */
  clear(why: string): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) item.cancel(why);
  }

  /** Nothing more is begun; what waits stays where it is. */
  stop(): void {
    this.#isStopped = true;
  }

  async #pump(): Promise<void> {
    for (let item = this.#next(); item !== undefined; item = this.#next()) {
      this.#running = item;
      await item.run();
      this.#running = undefined;
    }
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
    this.#idleListener();
  }

  #next(): WorkItem | undefined {
    return this.#isStopped ? undefined : this.#waiting.shift();
  }
}
