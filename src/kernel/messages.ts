/** The messages of the Jupyter protocol: their shape and the fields that each type must have. */
import type { Channel } from "./connection.ts";

/** @see https://jupyter-client.readthedocs.io/en/stable/messaging.html#message-header */
export interface MessageHeader {
  msg_id: string;
  session: string;
  username: string;
  date: string;
  msg_type: string;
  version: string;
}

/** A decoded message; `parent_header` is `{}` where it answers none. */
export interface Message {
  channel: Channel;
  header: MessageHeader;
  parent_header: Partial<MessageHeader>;
  metadata: Record<string, unknown>;
  content: Record<string, unknown>;
  buffers: Uint8Array[];
}
