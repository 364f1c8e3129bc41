/**
 * One execution: done when the `execute_reply` AND the status `idle` have both arrived.
 *
 * The two come over different sockets, in either order: the reply alone does not mean that all output is here, and idle alone does not say how
 * it ended. Output may even come after that, from threads and child processes, until the owner releases the execution.
 *
 * Of an execution that an earlier client started the kernel is asked to replay what was missed. The reply may come before that, and idle, too: only
 * the idle of the replay says that all output is here.
 */
import { KernelProtocolError } from "./kernel-errors.ts";
import { isMessage, type Message, type TypedMessage } from "./messages.ts";
import type { CountedTo, MessageNumbers } from "./message-numbers.ts";
import type { Route } from "./route.ts";

/** A running (or done) execution. */
export interface KernelExecution {
  /** The id of the request, which every message of the execution has as its parent. */
  readonly messageId: string;
  /**
   * The reply, once all output before idle has been delivered. A failure of the code is a reply too.
   * Rejects with `KernelGoneError` where the kernel ends first. Unwatched, its rejection is no unhandled one.
   */
  readonly done: Promise<TypedMessage<"execute_reply">>;
  /** Ends the delivery of messages and forgets the execution; `done` still settles. Idempotent. */
  release(): void;
}

/** Where messages seem to be lost, they are counted again after this long, in milliseconds. */
const RECOUNT_MS = 100;

/** The replay of what was missed of an execution, which its kernel is asked for by other means. */
export interface ReplayOptions {
  /** What the `taskweaver_replay` carries that begins it. */
  id: string;
  /** Told when it begins: how many messages came before, and whether some of them are lost. */
  onBegin?: (first: number, isComplete: boolean) => void;
}

/** What an execution needs of its client. */
export interface ExecutionOptions {
  messageId: string;
  /** A promise means: wait before the next one. */
  onMessage: (message: Message) => Promise<void> | void;
  /** Called when neither messages nor the end are awaited any more. */
  onForgotten: () => void;
  /** Called where the kernel never said idle after its reply. */
  onIdleMissing: () => void;
  /** How many messages on iopub its owner has received: what comes after them in what a dead kernel has left was missed. */
  receivedCount?: (() => number) | undefined;
  /** Of all that the kernel sends; absent where nobody asks for losses. */
  numbers?: MessageNumbers | undefined;
  /** Told before the end how many of the kernel's messages since it was busy have been lost, where any were. */
  onLost?: ((count: number) => void) | undefined;
  /** How long one of reply and idle is awaited after the other, counted from the execution's last message. */
  graceMs: number;
  /** Of one that an earlier client started: what comes on iopub before the replay begins comes again in it. */
  replay?: ReplayOptions | undefined;
}

/** The messages of one execution, gathered to its end. */
export class TrackedExecution implements KernelExecution, Route {
  readonly messageId: string;
  readonly done: Promise<TypedMessage<"execute_reply">>;
  readonly receivedCount: (() => number) | undefined;
  readonly #options: ExecutionOptions;
  #resolve: (reply: TypedMessage<"execute_reply">) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #reply: TypedMessage<"execute_reply"> | undefined;
  #begin: CountedTo | undefined;
  #isRecounting = false;
  #awaitsReplay: boolean;
  #idle = false;
  #settled = false;
  #released = false;
  /** Messages that its owner is still busy with. */
  #pending = 0;
  #grace: NodeJS.Timeout | undefined;

  constructor(options: ExecutionOptions) {
    this.messageId = options.messageId;
    this.#options = options;
    this.receivedCount = options.receivedCount;
    this.#awaitsReplay = options.replay !== undefined;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => {});
  }

  receive(received: Message): boolean | Promise<void> {
    if (this.#awaitsReplay && received.channel === "iopub" && received.isLeft !== true) {
      if (this.#beginsReplay(received)) this.#beginReplay(received);
      return true;
    }
    const message = onItsChannel(received);
    let taken: Promise<void> | undefined;
    if (message.channel === "iopub" || message.channel === "stdin") {
      if (!this.#released) taken = this.#deliver(message);
      if (message.channel === "iopub") this.#begin ??= this.#options.numbers?.state;
      if (message.channel === "iopub" && isIdle(message)) this.#idle = true;
    } else {
      if (this.#reply !== undefined || !isMessage(message, "execute_reply")) return false;
      this.#reply = message;
    }
    if (!this.#settled) this.#advance();
    return taken ?? true;
  }

  fail(error: Error): void {
    this.#settle(() => this.#reject(error));
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#settled) this.#options.onForgotten();
  }

  /** A replay that yet another client had asked for may be under way; a kernel that was started before replays had ids tells none. */
  #beginsReplay({ header, content }: Message): boolean {
    const id = this.#options.replay?.id;
    return header.msg_type === "taskweaver_replay" && (content["replay_id"] ?? id) === id;
  }

  #beginReplay({ content }: Message): void {
    this.#awaitsReplay = false;
    const first = Number(content["first"]);
    this.#options.replay?.onBegin?.(Number.isSafeInteger(first) ? first : 0, content["is_complete"] !== false);
  }

  /** A message that its owner fails on ends the execution: silently going on would lose output. */
  #deliver(message: Message): Promise<void> | undefined {
    try {
      const taken = this.#options.onMessage(message);
      return taken === undefined ? undefined : this.#await(taken);
    } catch (error) {
      this.#failOn(error);
      return undefined;
    }
  }

  async #await(taken: Promise<void>): Promise<void> {
    this.#pending += 1;
    try {
      await taken;
    } catch (error) {
      this.#failOn(error);
    }
    this.#pending -= 1;
    if (!this.#settled) this.#advance();
  }

  #failOn(error: unknown): void {
    this.#released = true;
    this.fail(error instanceof Error ? error : new Error(String(error)));
  }

  #advance(): void {
    const reply = this.#reply;
    if (this.#isRecounting) return;
    if (reply !== undefined && this.#idle) {
      clearTimeout(this.#grace);
      if (this.#lost === 0) return this.#settle(() => this.#resolve(reply));
      // The answer to another request may still be on its way over another socket.
      this.#isRecounting = true;
      this.#grace = setTimeout(() => setImmediate(() => this.#tellLost(reply)), RECOUNT_MS);
    } else if (reply !== undefined || this.#idle) {
      clearTimeout(this.#grace);
      // What is missing may be behind what its owner is busy with.
      if (this.#pending > 0) return;
      // What is already waiting in the sockets is read between the two, even after a long block of the event loop.
      this.#grace = setTimeout(() => setImmediate(() => this.#endGrace()), this.#options.graceMs);
    }
  }

  get #lost(): number {
    return this.#begin === undefined ? 0 : (this.#options.numbers?.lostSince(this.#begin) ?? 0);
  }

  #tellLost(reply: TypedMessage<"execute_reply">): void {
    if (this.#settled) return;
    if (this.#lost > 0) this.#options.onLost?.(this.#lost);
    this.#settle(() => this.#resolve(reply));
  }

  #endGrace(): void {
    if (this.#settled) return;
    const reply = this.#reply;
    if (reply === undefined) {
      this.fail(new KernelProtocolError("The kernel became idle without answering the execution."));
    } else {
      this.#options.onIdleMissing();
      this.#settle(() => this.#resolve(reply));
    }
  }

  #settle(act: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#grace);
    act();
    if (this.#released) this.#options.onForgotten();
  }
}

/** A replay tells all over iopub. */
function onItsChannel(message: Message): Message {
  if (message.channel !== "iopub") return message;
  if (isMessage(message, "execute_reply")) return { ...message, channel: "shell" };
  return isMessage(message, "input_request") ? { ...message, channel: "stdin" } : message;
}

function isIdle(message: Message): boolean {
  return isMessage(message, "status") && message.content.execution_state === "idle";
}
