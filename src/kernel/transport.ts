/** The seam between the protocol and its sockets: ZeroMQ in production, an in-memory pair in tests. */
import type { Channel } from "./connection.ts";

/** A channel that carries signed messages (the heartbeat carries only echoes). */
export type MessageChannel = Exclude<Channel, "hb">;

/** A channel that we can send on. */
export type RequestChannel = Exclude<MessageChannel, "iopub">;

/** Carries the frames of messages to and from one kernel. */
export interface KernelTransport {
  /**
   * Called with each incoming message's frames, in the order received per channel. Set before {@link open}. A promise means: until it is fulfilled nothing more
   * is received on this channel, so that what comes waits with its sender. It must not reject.
   */
  onFrames: ((channel: MessageChannel, frames: Uint8Array[]) => Promise<void> | undefined) | undefined;
  /** Begins to connect; does not wait for the kernel. That iopub is subscribed shows by the first message on it. */
  open(): Promise<void>;
  /** Sends one message; keeps the order of calls per channel. Rejects once closed. */
  send(channel: RequestChannel, frames: (Uint8Array | string)[]): Promise<void>;
  /**
   * Connects stdin where it is not yet connected; messages sent on shell from now on wait for that, as a kernel drops what it asks of a client
   * that it does not know.
   */
  connectStdin(): void;
  /** Sends one heartbeat; resolves true when the echo comes within the time. */
  ping(timeoutMs: number): Promise<boolean>;
  /** Closes all sockets; idempotent. */
  close(): void;
}
