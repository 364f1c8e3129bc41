/** Notices that nobody has used a session for long: one timer, armed only while there is something to end. */
import { startTimer } from "./timer.ts";

/** What the watch asks of its session. */
export interface IdleWatchOptions {
  /** Null: never. */
  timeoutMs: number | null;
  /** Whether there is a kernel to end, and nothing for it to do. */
  isIdle: () => boolean;
  onIdle: () => void;
}

/** Knows when the session was last used. */
export class IdleWatch {
  readonly #options: IdleWatchOptions;
  #lastActivity = new Date();
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
  }

  get lastActivity(): Date {
    return this.#lastActivity;
  }

  /** A client did something with the session. */
  touch(): void {
    this.#lastActivity = new Date();
  }

  /** The session may be idle from now on. */
  arm(): void {
    const { timeoutMs, isIdle, onIdle } = this.#options;
    this.#cancel();
    if (timeoutMs === null || this.#closed || !isIdle()) return;
    const waitMs = this.#lastActivity.getTime() + timeoutMs - Date.now();
    if (waitMs <= 0) onIdle();
    else this.#cancel = startTimer(waitMs, () => this.arm());
  }

  /** Ends the watch. */
  close(): void {
    this.#closed = true;
    this.#cancel();
  }
}
