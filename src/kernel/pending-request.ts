/** One request other than an execution, until its reply (and idle, where asked for) has come. */
import { KernelTimeoutError } from "./kernel-errors.ts";
import { isMessage, type Message } from "./messages.ts";
import type { Route } from "./route.ts";

/** What to await, and for how long. */
export interface PendingRequestOptions {
  messageType: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  waitForIdle: boolean;
  /** Called once when it is over, either way. */
  onForgotten: () => void;
}

/** Awaits the reply of type `..._reply` to a request of type `..._request`. */
export class PendingRequest implements Route {
  readonly reply: Promise<Message>;
  readonly #options: PendingRequestOptions;
  readonly #replyType: string;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort = (): void => this.fail(abortError(this.#options.signal));
  #resolve: (reply: Message) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #received: Message | undefined;
  #idle = false;
  #settled = false;

  constructor(options: PendingRequestOptions) {
    this.#options = options;
    this.#replyType = options.messageType.replace(/_request$/, "_reply");
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.reply.catch(() => {});
    if (options.timeoutMs <= LONGEST_TIMER_MS) {
      const { messageType, timeoutMs } = options;
      this.#timer = setTimeout(() => this.fail(new KernelTimeoutError(messageType, timeoutMs)), timeoutMs);
    }
    if (options.signal?.aborted) this.#onAbort();
    else options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Whether it is over already, as when the signal was aborted from the start. */
  get settled(): boolean {
    return this.#settled;
  }

  receive(message: Message): boolean {
    if (message.channel === "iopub") {
      if (isMessage(message, "status") && message.content.execution_state === "idle") this.#idle = true;
    } else {
      if (this.#received !== undefined || message.header.msg_type !== this.#replyType) return false;
      this.#received = message;
    }
    const reply = this.#received;
    if (reply !== undefined && (this.#idle || !this.#options.waitForIdle)) this.#settle(() => this.#resolve(reply));
    return true;
  }

  fail(error: Error): void {
    this.#settle(() => this.#reject(error));
  }

  #settle(act: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    act();
    this.#options.onForgotten();
  }
}

/** A longer timer would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What an aborted signal gives as its reason, as an Error. */
export function abortError(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException("The wait was aborted.", "AbortError");
}
