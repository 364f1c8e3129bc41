/** The seam between the protocol and its sockets: ZeroMQ in production, an in-memory pair in tests. */
import type { Channel } from "./connection.ts";

/** A channel that carries signed messages (the heartbeat carries only echoes). */
export type MessageChannel = Exclude<Channel, "hb">;

/** Carries the frames of messages to and from one kernel. */
export interface KernelTransport {
  /** Called with each incoming message's frames, in the order received per channel. Set before {@link open}. */
  onFrames: ((channel: MessageChannel, frames: Uint8Array[]) => void) | undefined;
  /** Connects all channels; resolves when the iopub subscription is known to be in place where the kernel tells (JEP 65), else at once. */
  open(): Promise<void>;
  /** Sends one message; keeps the order of calls. Rejects once closed. */
  send(channel: Exclude<MessageChannel, "iopub">, frames: (Uint8Array | string)[]): Promise<void>;
  /** Sends one heartbeat; resolves true when the echo comes within the time. */
  ping(timeoutMs: number): Promise<boolean>;
  /** Closes all sockets; idempotent. */
  close(): void;
}
