/** The ZeroMQ sockets of one kernel; the only file that imports zeromq. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Context, Dealer, Subscriber, type Socket } from "zeromq";
import { channelAddress, type ConnectionInfo } from "./connection.ts";
import { Heartbeat } from "./heartbeat.ts";
import { SendQueue, type FrameSocket } from "./send-queue.ts";
import { LoopTurn } from "./loop-turn.ts";
import type { KernelTransport, MessageChannel, RequestChannel } from "./transport.ts";

/** Options of {@link ZeromqTransport}. */
export interface ZeromqTransportOptions {
  /** By which the kernel addresses its replies and its questions on stdin; a fresh one by default. */
  routingId?: string;
  /** How many messages on iopub may wait here to be read. A kernel that drops none lets further ones wait on its own side. */
  mostWaitingOutputs?: number;
}

/** How long messages on shell wait for stdin to be connected, in milliseconds; then they go without. */
const STDIN_CONNECT_LIMIT_MS = 2000;

/**
 * How many messages on iopub may wait to be read before the kernel drops further ones: some seconds of the fastest printing. ZeroMQ's default of
 * 1000 would lose output whenever this process is busy for a moment; without a limit a flood of small ones could fill this process' memory. There is
 * no limit on a frame's size: ZeroMQ ends a connection over a frame too large and never connects anew.
 */
const MOST_WAITING_OUTPUTS = 100_000;

/** For the whole process; the default of 1023 would end at some 200 kernels, and libzmq keeps 16 bytes for each possible socket. */
const MAX_SOCKETS = 32_768;

/**
 * Connects to a kernel over Unix or TCP sockets, also to one that has not bound them yet.
 *
 * Shell and iopub are connected at once, the others when first used: most sessions never need them, and each costs file descriptors and buffers
 * here and in the kernel.
 */
export class ZeromqTransport implements KernelTransport {
  onFrames: KernelTransport["onFrames"];
  readonly #connection: ConnectionInfo;
  readonly #routingId: string;
  readonly #mostWaitingOutputs: number;
  readonly #queues = new Map<RequestChannel, SendQueue>();
  readonly #sockets: Socket[] = [];
  #heartbeat: Heartbeat | undefined;
  #opened = false;
  #closed = false;

  constructor(connection: ConnectionInfo, options: ZeromqTransportOptions = {}) {
    this.#connection = connection;
    this.#routingId = options.routingId ?? randomUUID();
    this.#mostWaitingOutputs = options.mostWaitingOutputs ?? MOST_WAITING_OUTPUTS;
  }

  async open(): Promise<void> {
    this.#assertNotClosed();
    if (this.#opened) return;
    this.#opened = true;
    const subscriber = new Subscriber({ ...socketOptions(), receiveHighWaterMark: this.#mostWaitingOutputs });
    this.#sockets.push(subscriber);
    subscriber.subscribe();
    subscriber.connect(channelAddress(this.#connection, "iopub"));
    void this.#receiveAll("iopub", subscriber);
    this.#queueOf("shell");
  }

  async send(channel: RequestChannel, frames: (Uint8Array | string)[]): Promise<void> {
    this.#assertNotClosed();
    await this.#queueOf(channel).send(frames);
  }

  connectStdin(): void {
    if (!this.#closed && !this.#queues.has("stdin")) this.#queueOf("stdin");
  }

  async ping(timeoutMs: number): Promise<boolean> {
    if (this.#closed) return false;
    if (this.#heartbeat === undefined) {
      const socket = this.#newDealer();
      this.#heartbeat = new Heartbeat(socket);
      socket.connect(channelAddress(this.#connection, "hb"));
    }
    return this.#heartbeat.ping(timeoutMs);
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #assertNotClosed(): void {
    if (this.#closed) throw new Error("The connection to the kernel is closed.");
  }

  #queueOf(channel: RequestChannel): SendQueue {
    const known = this.#queues.get(channel);
    if (known !== undefined) return known;
    // An immediate socket has no one to write to until its peer knows it.
    const socket = this.#newDealer({ immediate: channel === "stdin" });
    const queue = new SendQueue(socket);
    this.#queues.set(channel, queue);
    socket.connect(channelAddress(this.#connection, channel));
    if (channel === "stdin") this.#queueOf("shell").waitFor(writable(socket));
    void this.#receiveAll(channel, socket);
    return queue;
  }

  #newDealer(options: { immediate?: boolean } = {}): Dealer {
    const socket = new Dealer({ ...socketOptions(), ...options, sendHighWaterMark: 0, routingId: this.#routingId });
    this.#sockets.push(socket);
    return socket;
  }

  async #receiveAll(channel: MessageChannel, socket: Pick<FrameSocket, "receive">): Promise<void> {
    try {
      for (;;) {
        const frames = await socket.receive();
        if (this.#closed) return;
        const taken = this.onFrames?.(channel, frames);
        if (taken !== undefined) await taken;
        // Messages that wait already are received without a turn of the event loop in between: a flood would let nothing else happen.
        if (turn.isOver()) await turn.next();
        if (this.#closed) return;
      }
    } catch (error) {
      // Receiving ends by an error when the socket is closed; any other is a defect and must not vanish.
      if (!this.#closed) throw error;
    }
  }
}

/** Of the process: all kernels together take no more. */
const turn = new LoopTurn();

let sharedContext: Context | undefined;

/** One context for all kernels, as each has threads of its own. */
function socketOptions(): { context: Context; linger: number; reconnectInterval: number } {
  sharedContext ??= new Context({ blocky: false, maxSockets: MAX_SOCKETS });
  // A kernel binds after we have connected: at the default of 100 ms that wait would be most of its start.
  return { context: sharedContext, linger: 0, reconnectInterval: 1 };
}

/**
 * Resolves when the socket can be written to, when it is closed, or at the limit; never rejects. It polls, as the binding's observer of socket
 * events is not safe: it leaves its address bound after its end, and a later observer that happens to get the same address fails.
 */
async function writable(socket: Dealer): Promise<void> {
  const deadline = performance.now() + STDIN_CONNECT_LIMIT_MS;
  while (!socket.closed && !socket.writable && performance.now() < deadline) await delay(1);
}
