/** What a kernel client and its calls take. */
import type { Message, MessageHeader } from "./messages.ts";
import type { ProtocolFault } from "./protocol-faults.ts";

/** Options of a `KernelClient`. */
export interface KernelClientOptions {
  /** The key of the connection file; empty means unsigned. */
  key: string;
  username?: string;
  /** Takes valid messages that answer no open request of ours: late ones, and those of other clients. */
  onUnroutedMessage?: (message: Message) => void;
  /** Must not throw. */
  onProtocolFault?: (fault: ProtocolFault) => void;
  /** How long one of reply and idle is awaited after the other, in milliseconds. @default 10000 */
  graceMs?: number;
  /** The largest message that is read, in bytes; a larger one is dropped and counted. @default 134217728 */
  largestMessageBytes?: number;
}

/** Another client's `execute_request`. */
export interface GuestRequest {
  header: MessageHeader;
  metadata: Record<string, unknown>;
  content: Record<string, unknown>;
}

/** An execution to start. */
export interface ExecuteOptions {
  code: string;
  /** @default false */
  silent?: boolean;
  /** @default true */
  storeHistory?: boolean;
  /** Whether `input()` may ask. @default false */
  allowStdin?: boolean;
  /** Whether the kernel aborts what is queued behind where the code fails. @default false */
  stopOnError?: boolean;
  metadata?: Record<string, unknown>;
  /** Sent in the name of this client: its header, its metadata beneath ours, its content in place of ours except for `stop_on_error`. */
  guest?: GuestRequest | undefined;
  /** Told the id of the request before it is sent. */
  onSend?: (messageId: string) => void;
  /**
   * Takes every iopub message of the execution and its `input_request`s, in the order received, also after `done` until `release()`.
   * Where it throws, the execution's `done` rejects with that. A promise means: until it is fulfilled the kernel's further output is left where it is.
   */
  onMessage: (message: Message) => Promise<void> | void;
  /** How many messages on iopub have been received. Given, what a dead kernel had sent beyond them is delivered when it is found. */
  receivedCount?: () => number;
  /** Told at the end how many of the kernel's messages were lost on their way, where any were and its messages are numbered. It comes before `done`. */
  onLost?: (count: number) => void;
}

/** Options of `KernelClient.request`. */
export interface RequestOptions {
  /** @default "shell" */
  channel?: "shell" | "control";
  metadata?: Record<string, unknown>;
  /** In milliseconds; a request on shell waits for the executions before it. @default 30000 */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Whether the status idle is awaited too, so that all output of the request has arrived. @default false */
  waitForIdle?: boolean;
}
