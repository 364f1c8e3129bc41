/**
 * A programmable fake kernel that speaks the wire in memory.
 *
 * ```ts
 * const kernel = new FakeKernel();
 * const client = await kernel.connect();
 * kernel.onExecute(async (request) => {
 *   request.busy();
 *   request.stream("stdout", "hi\n");
 *   request.reply();
 *   request.idle();
 * });
 * ```
 *
 * By default it answers `kernel_info_request` (with `taskweaver_protocol` 1), executions (busy, reply `ok` with our metadata, idle), `taskweaver_*`,
 * interrupt and shutdown requests (`ok`), and heartbeats; everything else it leaves without an answer, as a kernel does.
 */
import { randomUUID } from "node:crypto";
import type { ConnectionInfo } from "../../src/kernel/connection.ts";
import { KernelClient, type KernelClientOptions } from "../../src/kernel/kernel-client.ts";
import type { Message } from "../../src/kernel/messages.ts";
import type { KernelTransport, MessageChannel, RequestChannel } from "../../src/kernel/transport.ts";
import { WireCodec, type OutgoingMessage } from "../../src/kernel/wire.ts";
import { FakeRequest } from "./fake-request.ts";
import { createMemoryTransport, type KernelEnd } from "./memory-transport.ts";

/** Handles a request; a rejection ends the test by {@link FakeKernel.failure}. */
export type FakeHandler = (request: FakeRequest) => void | Promise<void>;

/** Options of {@link FakeKernel}. */
export interface FakeKernelOptions {
  /** @default "fake-key" */
  key?: string;
  /** Laid over the default content of `kernel_info_reply`; a field of undefined is left out. */
  kernelInfo?: Record<string, unknown>;
  /** Whether a subscriber is greeted as JEP 65 has it. @default true */
  welcome?: boolean;
}

/** What a message is sent with beside its type and content. */
export interface FakeMessageOptions {
  parent?: Partial<Message["header"]>;
  metadata?: Record<string, unknown>;
  buffers?: Uint8Array[];
  /** Signs with another key: a forgery. */
  key?: string;
}

/** One fake kernel with one client. */
export class FakeKernel {
  readonly connection: ConnectionInfo;
  /** The client's end. */
  readonly transport: KernelTransport;
  /** Everything received, in order. */
  readonly requests: FakeRequest[] = [];
  /** The first error that a handler threw. */
  failure: unknown;
  /** Counts like a kernel: raised by each default execution that is not silent. */
  executionCount = 0;
  readonly #end: KernelEnd;
  readonly #codec: WireCodec;
  readonly #kernelInfo: Record<string, unknown>;
  readonly #handlers = new Map<string, FakeHandler>();
  readonly #waiting: { type: string | undefined; resolve: (request: FakeRequest) => void }[] = [];
  readonly #unclaimed: FakeRequest[] = [];
  readonly #session = randomUUID();
  /** Messages are numbered as ipykernel's are. */
  #messageCount = 0;
  #silent = false;
  #dead = false;

  constructor(options: FakeKernelOptions = {}) {
    const { key = "fake-key", kernelInfo = {}, welcome = true } = options;
    this.connection = fakeConnection(key);
    this.#codec = new WireCodec(key);
    this.#kernelInfo = { ...DEFAULT_KERNEL_INFO, ...kernelInfo };
    const { transport, kernelEnd } = createMemoryTransport();
    this.transport = transport;
    this.#end = kernelEnd;
    kernelEnd.onFrames = (channel, frames) => this.#receive(channel, frames);
    kernelEnd.onPing = () => !this.#silent && !this.#dead;
    if (welcome) void kernelEnd.opened.then(() => this.send("iopub", "iopub_welcome", { subscription: "" }));
  }

  /** A client of this kernel, opened and ready. */
  async connect(options: Partial<KernelClientOptions> = {}): Promise<KernelClient> {
    const client = new KernelClient(this.transport, { key: this.connection.key, ...options });
    await client.open();
    await client.waitUntilReady(1000);
    return client;
  }

  /** Sets what is done with `execute_request`s from now on. */
  onExecute(handler: FakeHandler): this {
    return this.on("execute_request", handler);
  }

  /** Sets what is done with requests of a type from now on. */
  on(messageType: string, handler: FakeHandler): this {
    this.#handlers.set(messageType, handler);
    return this;
  }

  /** The next request (of a type) that no earlier call took: one that has come already, else one to come. Its handler runs all the same. */
  async nextRequest(messageType?: string): Promise<FakeRequest> {
    const index = this.#unclaimed.findIndex((request) => messageType === undefined || request.type === messageType);
    const [request] = index < 0 ? [] : this.#unclaimed.splice(index, 1);
    return request ?? new Promise((resolve) => this.#waiting.push({ type: messageType, resolve }));
  }

  /** Sends a message. */
  send(channel: MessageChannel, type: string, content: Record<string, unknown>, options: FakeMessageOptions = {}): void {
    const message: OutgoingMessage = {
      header: {
        msg_id: `${this.#session}_1_${this.#messageCount++}`,
        session: this.#session,
        username: "kernel",
        date: new Date().toISOString(),
        msg_type: type,
        version: "5.4",
      },
      parent_header: options.parent ?? {},
      metadata: options.metadata ?? {},
      content,
      buffers: options.buffers ?? [],
    };
    const codec = options.key === undefined ? this.#codec : new WireCodec(options.key);
    this.sendFrames(channel, codec.encode(message, channel === "iopub" ? [`kernel.${type}`] : []));
  }

  /** Sends frames as they are, well formed or not. */
  sendFrames(channel: MessageChannel, frames: (Uint8Array | string)[]): void {
    if (!this.#dead) this.#end.send(channel, frames);
  }

  /** Sends so many messages that do not arrive. */
  lose(count: number): void {
    this.#messageCount += count;
  }

  /** Answers nothing from now on, heartbeats included; requests are still recorded. */
  silence(): this {
    this.#silent = true;
    return this;
  }

  /** Ends silence; what came meanwhile stays unanswered. */
  speak(): this {
    this.#silent = false;
    return this;
  }

  /** Sends and records nothing from now on; telling the client (`client.fail`) is up to whoever watches the process. */
  die(): void {
    this.#dead = true;
  }

  /** Whether the client has closed the connection. */
  get disconnected(): boolean {
    return this.#end.closed;
  }

  /** Whether the client could be asked on stdin. */
  get stdinConnected(): boolean {
    return this.#end.stdinConnected;
  }

  #receive(channel: RequestChannel, frames: Uint8Array[]): void {
    if (this.#dead) return;
    const message = this.#codec.decode(channel, frames);
    if (typeof message === "string") throw new Error(`The client sent a message that is ${message}.`);
    const request = new FakeRequest(message, this);
    this.requests.push(request);
    this.#claim(request);
    if (!this.#silent) void this.#handle(request);
  }

  #claim(request: FakeRequest): void {
    const index = this.#waiting.findIndex(({ type }) => type === undefined || type === request.type);
    const [waiting] = index < 0 ? [] : this.#waiting.splice(index, 1);
    if (waiting) waiting.resolve(request);
    else this.#unclaimed.push(request);
  }

  async #handle(request: FakeRequest): Promise<void> {
    try {
      const handler = this.#handlers.get(request.type);
      await (handler ? handler(request) : this.#answerByDefault(request));
    } catch (error) {
      this.failure ??= error;
    }
  }

  #answerByDefault(request: FakeRequest): void {
    const { type } = request;
    if (type === "execute_request") request.succeed();
    else if (type === "kernel_info_request") request.answer(this.#kernelInfo);
    else if (type === "interrupt_request" || type.startsWith("taskweaver_")) request.answer({ status: "ok" });
    else if (type === "shutdown_request") request.answer({ status: "ok", restart: request.content["restart"] });
  }
}

const DEFAULT_KERNEL_INFO = {
  status: "ok",
  protocol_version: "5.4",
  implementation: "fake",
  implementation_version: "1.0",
  language_info: { name: "python", version: "3.12.0", file_extension: ".py", mimetype: "text/x-python" },
  banner: "",
  taskweaver_protocol: 1,
};

function fakeConnection(key: string): ConnectionInfo {
  return {
    transport: "ipc",
    ip: "/nowhere/fake",
    shell_port: 1,
    iopub_port: 2,
    stdin_port: 3,
    control_port: 4,
    hb_port: 5,
    key,
    signature_scheme: "hmac-sha256",
  };
}
