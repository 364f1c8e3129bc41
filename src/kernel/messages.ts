/** The messages of the Jupyter protocol: their shape, and the contents of the types that we use. */
import type { Channel } from "./connection.ts";
import type { MessageContents } from "./message-contents.ts";

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
  /** Of all its frames, as received. */
  sizeBytes?: number;
  /** It did not come through a socket: its kernel had left it when it died. */
  isLeft?: true;
}

/** A message whose type is known, with its content typed. */
export type TypedMessage<Type extends keyof MessageContents> = Message & { content: MessageContents[Type] };

/** Whether a message is of a type; narrows its content, whose required fields the client has checked. */
export function isMessage<Type extends keyof MessageContents>(message: Message, type: Type): message is TypedMessage<Type> {
  return message.header.msg_type === type;
}
