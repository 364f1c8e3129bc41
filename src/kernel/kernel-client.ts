/** Talks to one running kernel: executions, requests, input, interrupt, heartbeat. Starts no process and ends none. */
import { randomUUID } from "node:crypto";
import type { ExecuteOptions, GuestRequest, KernelClientOptions, RequestOptions } from "./client-options.ts";
import { TrackedExecution, type KernelExecution, type ReplayOptions } from "./execution.ts";
import { KernelGoneError } from "./kernel-errors.ts";
import { missedMessages, type LastOutput } from "./last-output.ts";
import { MessageNumbers } from "./message-numbers.ts";
import type { Message, MessageHeader } from "./messages.ts";
import { PendingRequest } from "./pending-request.ts";
import { FaultLog, type FaultCounts } from "./protocol-faults.ts";
import { ReadinessProbe, type KernelInfo } from "./readiness.ts";
import { missingField } from "./required-fields.ts";
import { RouteTable, type Route } from "./route.ts";
import type { KernelTransport, MessageChannel, RequestChannel } from "./transport.ts";
import { WireCodec, type OutgoingMessage } from "./wire.ts";

export type { ExecuteOptions, GuestRequest, KernelClientOptions, RequestOptions } from "./client-options.ts";
export type { KernelExecution } from "./execution.ts";
export type { FaultCounts, ProtocolFault } from "./protocol-faults.ts";
export type { KernelInfo } from "./readiness.ts";

const PROTOCOL_VERSION = "5.4";
const DEFAULT_TIMEOUT_MS = 30_000;
const CONTROL_TIMEOUT_MS = 5000;

/** A client of one kernel. All its waits end when the owner calls {@link fail} or {@link close}. */
export class KernelClient {
  readonly #transport: KernelTransport;
  readonly #options: KernelClientOptions;
  readonly #codec: WireCodec;
  readonly #faults: FaultLog;
  readonly #routes = new RouteTable();
  /** From the first execution on whose owner asks for losses. */
  #numbers: MessageNumbers | undefined;
  readonly #listeners = new Set<(message: Message) => void>();
  readonly #probes = new Set<ReadinessProbe>();
  readonly #session = randomUUID();
  #messageCount = 0;
  #iopubHeard = false;
  #gone: KernelGoneError | undefined;

  /** @param transport Not yet opened; the client owns it from now on. */
  constructor(transport: KernelTransport, options: KernelClientOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#codec = new WireCodec(options.key, options.largestMessageBytes);
    this.#faults = new FaultLog(options.onProtocolFault);
  }

  /** How often the kernel did what against the protocol. */
  get faults(): Readonly<FaultCounts> {
    return this.#faults.counts;
  }

  /** Connects; does not wait for the kernel. @throws KernelGoneError where already closed. */
  async open(): Promise<void> {
    if (this.#gone) throw this.#gone;
    this.#transport.onFrames = (channel, frames) => this.#receive(channel, frames);
    await this.#transport.open();
  }

  /**
   * Waits until the kernel answers and its output is heard.
   * @param known What it would answer, of one that is known to be like another; it is not asked again.
   * @param channel `control` for a kernel that may be executing something, where it answers there.
   * @throws KernelTimeoutError, KernelGoneError, or the signal's reason.
   */
  async waitUntilReady(
    timeoutMs: number,
    signal?: AbortSignal,
    channel: "shell" | "control" = "shell",
    known?: KernelInfo,
  ): Promise<KernelInfo> {
    if (this.#gone) throw this.#gone;
    const messageIds: string[] = [];
    const send = (route: Route): void => {
      const message = this.#newMessage("kernel_info_request", {}, {});
      messageIds.push(message.header.msg_id);
      this.#sendRouted(channel, message, route);
    };
    const probe = new ReadinessProbe({ timeoutMs, signal, known, probe: send });
    this.#probes.add(probe);
    try {
      if (this.#iopubHeard) probe.hear();
      probe.start();
      return await probe.ready;
    } finally {
      this.#probes.delete(probe);
      for (const messageId of messageIds) this.#routes.remove(messageId);
    }
  }

  /** Starts an execution; the kernel runs it after those before it. Its `done` rejects with KernelGoneError where the client is closed. */
  execute(options: ExecuteOptions): KernelExecution {
    const content = {
      code: options.code,
      silent: options.silent ?? false,
      store_history: options.storeHistory ?? true,
      user_expressions: {},
      allow_stdin: options.allowStdin ?? false,
      stop_on_error: options.stopOnError ?? false,
    };
    const message = this.#newMessage("execute_request", content, options.metadata ?? {});
    if (options.guest !== undefined) inTheNameOf(options.guest, message);
    const execution = this.#track(message.header.msg_id, options);
    if (message.content["allow_stdin"] === true) this.#transport.connectStdin();
    options.onSend?.(message.header.msg_id);
    this.#sendRouted("shell", message, execution);
    return execution;
  }

  /**
   * Takes up an execution that an earlier client of this kernel started; the kernel is asked by other means to replay what was missed.
   * @param messageId Of the earlier client's `execute_request`.
   */
  resume(messageId: string, replay: ReplayOptions, options: Pick<ExecuteOptions, "onMessage" | "receivedCount">): KernelExecution {
    const execution = this.#track(messageId, options, replay);
    this.#transport.connectStdin();
    if (this.#gone) execution.fail(this.#gone);
    else this.#routes.add(messageId, execution);
    return execution;
  }

  /**
   * Sends a request and awaits its reply, whatever its status.
   * @param messageType Ends in `_request`; the reply's type ends in `_reply` instead.
   * @throws KernelTimeoutError, KernelGoneError, or the signal's reason; a kernel that does not know the type never answers.
   */
  async request(messageType: string, content: Record<string, unknown>, options: RequestOptions = {}): Promise<Message> {
    const message = this.#newMessage(messageType, content, options.metadata ?? {});
    const pending = new PendingRequest({
      messageType,
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: options.signal,
      waitForIdle: options.waitForIdle ?? false,
      onForgotten: () => this.#routes.remove(message.header.msg_id),
    });
    if (!pending.settled) this.#sendRouted(options.channel ?? "shell", message, pending);
    return pending.reply;
  }

  /** Answers an `input_request`. @throws KernelGoneError where the client is closed. */
  async replyToInput(text: string, inputRequest: Message): Promise<void> {
    const message = this.#newMessage("input_reply", { value: text }, {});
    await this.#send("stdin", { ...message, parent_header: inputRequest.header });
  }

  /** Asks over control to interrupt what runs (for kernels with `interrupt_mode: message`; others take SIGINT). */
  async interrupt(timeoutMs: number = CONTROL_TIMEOUT_MS): Promise<Message> {
    return this.request("interrupt_request", {}, { channel: "control", timeoutMs });
  }

  /** Asks the kernel to end itself; resolves with its reply, which may come before its end. */
  async shutdown(options: { restart: boolean; timeoutMs?: number }): Promise<Message> {
    const { restart, timeoutMs = CONTROL_TIMEOUT_MS } = options;
    return this.request("shutdown_request", { restart }, { channel: "control", timeoutMs });
  }

  /** Whether the kernel's heartbeat answers within the time; false too where the client is closed. */
  async ping(timeoutMs: number): Promise<boolean> {
    return this.#gone ? false : this.#transport.ping(timeoutMs);
  }

  /** Hears every valid message from now on, whoever's request it answers. @returns Ends that. */
  subscribe(listener: (message: Message) => void): () => void {
    // A wrapper of its own, so that the same function may be subscribed twice.
    const entry = (message: Message): void => listener(message);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  /** Sends another client's message as it is, with its own header; the answers reach the listeners of {@link subscribe}. */
  async forward(message: OutgoingMessage & { channel: RequestChannel }): Promise<void> {
    if (this.#gone) throw this.#gone;
    if (message.content["allow_stdin"] === true) this.#transport.connectStdin();
    await this.#send(message.channel, message);
  }

  /** The owner says what a kernel that has ended had written: what of it did not arrive is delivered now. Then it is time to {@link fail}. */
  async takeLast(last: LastOutput): Promise<void> {
    // Whatever the sockets still hold is among it, and must not come twice.
    this.#transport.onFrames = undefined;
    for (const message of missedMessages(last, this.#codec, this.#routes)) {
      const taken = this.#deliver(message);
      if (taken !== undefined) await taken;
    }
  }

  /** The owner says that the kernel has ended: everything pending rejects with a KernelGoneError, and the client closes. */
  fail(error: unknown): void {
    this.#end(new KernelGoneError(undefined, { cause: error }));
  }

  /** Closes the connection, not the kernel; what is pending rejects with a KernelGoneError. Idempotent. */
  close(): void {
    this.#end(new KernelGoneError("The connection to the kernel was closed."));
  }

  #track(
    messageId: string,
    options: Pick<ExecuteOptions, "onMessage" | "receivedCount" | "onLost">,
    replay?: ReplayOptions,
  ): TrackedExecution {
    const { onMessage, receivedCount, onLost } = options;
    if (onLost !== undefined) this.#numbers ??= new MessageNumbers();
    return new TrackedExecution({
      messageId,
      onMessage,
      receivedCount,
      replay,
      onLost,
      numbers: onLost === undefined ? undefined : this.#numbers,
      onForgotten: () => this.#routes.remove(messageId),
      onIdleMissing: () => this.#faults.add({ kind: "missing_idle", detail: "no idle status came after an execute_reply" }),
      graceMs: this.#options.graceMs ?? 10_000,
    });
  }

  #end(error: KernelGoneError): void {
    if (this.#gone) return;
    this.#gone = error;
    try {
      this.#transport.onFrames = undefined;
      this.#transport.close();
    } finally {
      this.#listeners.clear();
      for (const probe of this.#probes) probe.fail(error);
      this.#routes.failAll(error);
    }
  }

  #receive(channel: MessageChannel, frames: Uint8Array[]): Promise<void> | undefined {
    if (this.#gone) return undefined;
    const message = this.#codec.decode(channel, frames);
    if (typeof message === "string") {
      this.#faults.add({ kind: message, detail: `frames on ${channel} were refused` });
      return undefined;
    }
    const missing = missingField(message);
    if (missing !== undefined) {
      this.#faults.add({ kind: "malformed", detail: `${message.header.msg_type} on ${channel} lacks a valid ${missing}` });
      return undefined;
    }
    this.#numbers?.note(message);
    if (channel === "iopub") {
      this.#iopubHeard = true;
      for (const probe of this.#probes) probe.hear();
    }
    return this.#deliver(message);
  }

  #deliver(message: Message): Promise<void> | undefined {
    for (const listener of this.#listeners) this.#guard(listener, message);
    const taken = this.#routes.deliver(message);
    if (taken === false) this.#guard(this.#options.onUnroutedMessage, message);
    return typeof taken === "boolean" ? undefined : taken;
  }

  /** A failing listener must not keep a message from the others. */
  #guard(listener: ((message: Message) => void) | undefined, message: Message): void {
    try {
      listener?.(message);
    } catch (cause) {
      const detail = `a listener failed on ${message.header.msg_type}`;
      this.#faults.add({ kind: "listener_failed", detail, cause });
    }
  }

  #sendRouted(channel: RequestChannel, message: OutgoingMessage, route: Route): void {
    if (this.#gone) return route.fail(this.#gone);
    this.#routes.add(message.header.msg_id, route);
    this.#send(channel, message).catch((error: Error) => {
      this.#routes.remove(message.header.msg_id);
      route.fail(error);
    });
  }

  async #send(channel: RequestChannel, message: OutgoingMessage): Promise<void> {
    if (this.#gone) throw this.#gone;
    const frames = this.#codec.encode(message);
    try {
      await this.#transport.send(channel, frames);
    } catch (cause) {
      throw this.#gone ?? new KernelGoneError("The message could not be sent to the kernel.", { cause });
    }
  }

  #newMessage(type: string, content: Record<string, unknown>, metadata: Record<string, unknown>): OutgoingMessage {
    const header: MessageHeader = {
      msg_id: `${this.#session}_${++this.#messageCount}`,
      session: this.#session,
      username: this.#options.username ?? "taskweaver",
      date: new Date().toISOString(),
      msg_type: type,
      version: PROTOCOL_VERSION,
    };
    return { header, parent_header: {}, metadata, content, buffers: [] };
  }
}

/** What aborts behind a failure is the sender's matter: it knows what of its own is queued, and the kernel would abort others' too. */
function inTheNameOf({ header, metadata, content }: GuestRequest, message: OutgoingMessage): void {
  message.header = header;
  message.metadata = { ...metadata, ...message.metadata };
  message.content = { ...content, stop_on_error: message.content["stop_on_error"] };
}
