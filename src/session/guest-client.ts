/** One other Jupyter client of a session's kernel: its code takes turns with the session's own, and each of its requests is answered once. */
import { AppError, messageOf } from "../errors.ts";
import type { Message } from "../kernel/messages.ts";
import type { Execution } from "./execution.ts";
import type { LiveKernel } from "./live-kernel.ts";

/** The client's end. */
export interface GuestListener {
  /** Takes a message for the client. Must not throw. */
  receive(message: Message): void;
  /** The kernel has taken something of what waits. */
  onRoom(): void;
  /** Nothing comes any more: there is no kernel, or the same client has come again. */
  onEnd(why: "no_kernel" | "replaced"): void;
}

/** What guests need of their session. */
export interface GuestHost {
  /** The live kernel; a fresh one where there is none. */
  kernel(): Promise<LiveKernel>;
  /** Queues a client's code as an execution of the session. */
  execute(request: Message): Execution;
  /** Ends an execution that has not begun. */
  cancel(execution: Execution): void;
  /** Does work between executions. */
  inTurn<T>(work: (kernel: LiveKernel) => Promise<T>): Promise<T>;
  touch(): void;
  /** Answers a request as the kernel would. */
  answer(request: Message, channel: "shell" | "control" | "iopub", type: string, content: Record<string, unknown>): void;
}

interface Failure {
  ename: string;
  evalue: string;
}

/** Requests without an answer that are remembered; a kernel does not answer types that it does not know. */
const MOST_UNANSWERED = 10_000;

/** The requests of one client, in the order sent. They outlive the client's connection, as they do in a kernel's own queue. */
export class GuestClient {
  /** The names under which the client signs its messages. */
  readonly #names = new Set<string>();
  readonly #host: GuestHost;
  readonly #listener: GuestListener;
  #queue: { message: Message; sizeBytes: number }[] = [];
  #queuedBytes = 0;
  #isPumping = false;
  /** Code that has left this queue and not yet reached the kernel. */
  #next: { request: Message; execution?: Execution } | undefined;
  /** Resolves when the code that was sent last is over; undefined once it is. */
  #lastExecution: Promise<void> | undefined;
  readonly #unanswered = new Map<string, { request: Message; onHeard: () => void }>();
  #isConnected = true;

  /** @param name How the client signs its messages; empty where that is not known yet. */
  constructor(host: GuestHost, name: string, listener: GuestListener) {
    this.#host = host;
    this.#listener = listener;
    if (name !== "") this.#names.add(name);
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Whether the client has left and nothing of its is to be done. */
  get isDone(): boolean {
    return !this.#isConnected && !this.#isPumping && this.#unanswered.size === 0;
  }

  /** What the client has sent and the kernel has not got yet. */
  get waiting(): { count: number; bytes: number } {
    return { count: this.#queue.length, bytes: this.#queuedBytes };
  }

  isCalled(name: string): boolean {
    return this.#names.has(name);
  }

  /** Takes a message of the client's. Those on shell keep their order; control and stdin wait for nothing. */
  send(message: Message, sizeBytes: number): void {
    this.#host.touch();
    this.#names.add(message.header.session);
    if (message.channel !== "shell") return void this.#forward(message);
    this.#queue.push({ message, sizeBytes });
    this.#queuedBytes += sizeBytes;
    if (!this.#isPumping) void this.#pump();
  }

  /** Takes a message of the kernel's: output is for everybody, an answer for who asked. */
  relay(message: Message): void {
    const isMine = this.#names.has(message.parent_header.session ?? "");
    if (isMine) this.#note(message);
    if (this.#isConnected && (isMine || message.channel === "iopub")) this.#listener.receive(message);
  }

  /** The kernel is gone: what it had of this client's, and what waited for it, is answered. */
  kernelEnded(why: string): void {
    this.#abortWaiting();
    for (const { request } of this.#unanswered.values()) {
      // The end of an execution tells for itself.
      if (!isExecution(request)) this.#fail(request, { ename: "DeadKernelError", evalue: why });
    }
  }

  /** Ends the connection from this side. */
  end(why: "no_kernel" | "replaced"): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#listener.onEnd(why);
  }

  /** The client has left; what it has sent is done all the same. */
  leave(): void {
    this.#isConnected = false;
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      this.#queuedBytes -= item.sizeBytes;
      if (isExecution(item.message)) await this.#execute(item.message);
      else await this.#forward(item.message);
      this.#listener.onRoom();
    }
    this.#isPumping = false;
  }

  /** Resolves when the code has begun to run: what the client sends from then on, such as a widget's message, may be meant for it. */
  async #execute(request: Message): Promise<void> {
    const begun = new Promise<void>((resolve) => this.#expectAnswer(request, resolve));
    const ended: Promise<void> = this.#runAfter(this.#lastExecution, request).then((failure) => {
      if (this.#isOpen(request)) this.#fail(request, failure);
      if (this.#lastExecution === ended) this.#lastExecution = undefined;
    });
    this.#lastExecution = ended;
    await Promise.race([begun, ended]);
    this.#next = undefined;
  }

  /** Runs it to its end, which it returns for the case that the kernel has not told it. Never rejects. */
  async #runAfter(before: Promise<void> | undefined, request: Message): Promise<Failure> {
    this.#next = { request };
    if (before !== undefined) await before;
    if (!this.#isOpen(request)) return { ename: "", evalue: "" };
    try {
      if (isRecorded(request)) {
        const execution = this.#host.execute(request);
        this.#next = { request, execution };
        await execution.done;
        const { end } = execution;
        return {
          ename: end?.reason === "cancelled" ? "CancelledError" : "DeadKernelError",
          evalue: end?.error ?? "The kernel gave no answer.",
        };
      }
      await this.#host.inTurn((kernel) => kernel.client.execute({ code: "", guest: request, onMessage: () => undefined }).done);
      return { ename: "DeadKernelError", evalue: "The kernel gave no answer." };
    } catch (error) {
      return failureOf(error);
    }
  }

  async #forward(message: Message): Promise<void> {
    const { channel } = message;
    if (channel === "iopub" || channel === "hb") return;
    const isRequest = message.header.msg_type.endsWith("_request");
    if (isRequest) this.#expectAnswer(message, () => undefined);
    try {
      const kernel = await this.#host.kernel();
      await kernel.client.forward({ ...message, channel });
    } catch (error) {
      if (isRequest && this.#isOpen(message)) this.#fail(message, failureOf(error));
    }
  }

  #note(message: Message): void {
    const parentId = message.parent_header.msg_id ?? "";
    const open = this.#unanswered.get(parentId);
    if (open === undefined) return;
    open.onHeard();
    if (message.channel === "iopub" || !message.header.msg_type.endsWith("_reply")) return;
    this.#unanswered.delete(parentId);
    // Who runs many cells wants none of them after one that failed.
    if (isExecution(open.request) && message.content["status"] === "error" && open.request.content["stop_on_error"] !== false) {
      this.#abortWaiting();
    }
  }

  #abortWaiting(): void {
    const next = this.#next;
    const waiting = this.#queue.map(({ message }) => message).filter(isExecution);
    this.#queue = this.#queue.filter(({ message }) => !isExecution(message));
    this.#queuedBytes = this.#queue.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (next !== undefined && next.execution?.state !== "running" && this.#isOpen(next.request)) {
      waiting.unshift(next.request);
      this.#next = undefined;
    }
    for (const request of waiting) this.#tell(request, { status: "aborted" });
    if (next?.execution?.state === "queued") this.#host.cancel(next.execution);
  }

  #fail(request: Message, failure: Failure): void {
    const error = { ...failure, traceback: failure.evalue.split("\n") };
    if (isExecution(request)) this.#host.answer(request, "iopub", "error", error);
    this.#tell(request, { status: "error", ...error });
  }

  #tell(request: Message, content: Record<string, unknown>): void {
    this.#unanswered.delete(request.header.msg_id);
    const type = request.header.msg_type.replace(/_request$/, "_reply");
    this.#host.answer(request, request.channel === "control" ? "control" : "shell", type, content);
    this.#host.answer(request, "iopub", "status", { execution_state: "idle" });
  }

  #expectAnswer(request: Message, onHeard: () => void): void {
    this.#unanswered.set(request.header.msg_id, { request, onHeard });
    if (this.#unanswered.size <= MOST_UNANSWERED) return;
    const [oldest] = this.#unanswered.keys();
    if (oldest !== undefined) this.#unanswered.delete(oldest);
  }

  #isOpen(request: Message): boolean {
    return this.#unanswered.has(request.header.msg_id);
  }
}

/** Whether it runs code in the kernel's main thread; on a subshell nothing waits for it. */
function isExecution({ channel, header }: Message): boolean {
  const { subshell_id } = header as { subshell_id?: unknown };
  return channel === "shell" && header.msg_type === "execute_request" && (subshell_id === undefined || subshell_id === null);
}

/** What a client's own machinery runs, such as an inspector of variables, is no part of what the session has done. */
function isRecorded({ content }: Message): boolean {
  return content["silent"] !== true && content["store_history"] !== false;
}

function failureOf(error: unknown): Failure {
  return { ename: error instanceof AppError ? error.code : "DeadKernelError", evalue: messageOf(error) };
}
