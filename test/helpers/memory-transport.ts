/** A pair of linked ends in memory: what a client sends arrives at a fake kernel, and the other way round. */
import type { KernelTransport, MessageChannel, RequestChannel } from "../../src/kernel/transport.ts";

/** The kernel's end of the pair. */
export interface KernelEnd {
  /** Takes the frames of each message that the client sends. */
  onFrames: ((channel: RequestChannel, frames: Uint8Array[]) => void) | undefined;
  /** Takes whether a heartbeat is echoed; by default it is. */
  onPing: () => boolean;
  /** Sends frames to the client; on iopub they are lost while the client has not opened, as in ZeroMQ. */
  send(channel: MessageChannel, frames: (Uint8Array | string)[]): void;
  /** Resolves when the client has opened. */
  readonly opened: Promise<void>;
  readonly stdinConnected: boolean;
  readonly closed: boolean;
}

/** Makes a linked pair; what is sent arrives in a later microtask, in order. */
export function createMemoryTransport(): { transport: KernelTransport; kernelEnd: KernelEnd } {
  const pair = new MemoryPair();
  return { transport: pair.transport, kernelEnd: pair };
}

class MemoryPair implements KernelEnd {
  onFrames: KernelEnd["onFrames"];
  onPing = (): boolean => true;
  stdinConnected = false;
  closed = false;
  readonly opened: Promise<void>;
  readonly transport: KernelTransport;
  #isOpen = false;
  /** What waits per channel while the client is busy with an earlier message. */
  readonly #held = new Map<MessageChannel, Uint8Array[][]>();
  #resolveOpened: () => void = () => {};

  constructor() {
    this.opened = new Promise((resolve) => {
      this.#resolveOpened = resolve;
    });
    this.transport = {
      onFrames: undefined,
      open: async () => {
        if (this.closed) throw new Error("The transport is closed.");
        this.#isOpen = true;
        this.#resolveOpened();
      },
      send: async (channel, frames) => {
        if (this.closed) throw new Error("The transport is closed.");
        queueMicrotask(() => this.onFrames?.(channel, frames.map(toBytes)));
      },
      connectStdin: () => {
        this.stdinConnected = true;
      },
      ping: async () => !this.closed && this.onPing(),
      close: () => {
        this.closed = true;
      },
    };
  }

  send(channel: MessageChannel, frames: (Uint8Array | string)[]): void {
    if (!this.#isOpen && channel === "iopub") return;
    queueMicrotask(() => this.#hand(channel, frames.map(toBytes)));
  }

  #hand(channel: MessageChannel, frames: Uint8Array[]): void {
    const held = this.#held.get(channel);
    if (held !== undefined) return void held.push(frames);
    const taken = this.closed ? undefined : this.transport.onFrames?.(channel, frames);
    if (taken === undefined) return;
    const waiting: Uint8Array[][] = [];
    this.#held.set(channel, waiting);
    void taken.then(() => {
      this.#held.delete(channel);
      for (const next of waiting) this.#hand(channel, next);
    });
  }
}

function toBytes(frame: Uint8Array | string): Uint8Array {
  return typeof frame === "string" ? Buffer.from(frame, "utf8") : frame;
}
