/**
 * The wire format: frames to messages and back, with their signatures.
 *
 * `identities..., <IDS|MSG>, signature, header, parent_header, metadata, content, buffers...`
 *
 * A signature that was seen before is not refused, unlike in jupyter_client: a client dials the kernel's own sockets, so whoever could replay
 * a message there could as well be the kernel; a replayed reply finds its request answered and goes nowhere; and a kernel that resends what a
 * restarted server has missed must be heard.
 * @see https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol
 */
import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from "node:crypto";
import type { Channel } from "./connection.ts";
import type { Message, MessageHeader } from "./messages.ts";

/** Why frames were refused. */
export type WireFault = "bad_signature" | "malformed" | "too_large";

/** A message to send, without what only an incoming one has. */
export type OutgoingMessage = Omit<Message, "channel">;

/**
 * The largest message that is read, in bytes of its signed frames: to hash and parse it blocks this process for about half a second. A larger one is
 * dropped at no cost, so that a flood of them piles up nowhere.
 */
export const LARGEST_MESSAGE_BYTES = 128 * 1024 * 1024;

const DELIMITER = "<IDS|MSG>";
const DELIMITER_BYTES = Buffer.from(DELIMITER, "latin1");

/** Encodes and decodes the messages of one kernel with its key. */
export class WireCodec {
  // Made once: to import the key anew for every message costs about as much as the hash itself.
  readonly #key: KeyObject | undefined;
  readonly #largestBytes: number;

  /**
   * @param key The key of the connection file; empty means unsigned.
   * @param largestBytes The largest message that is read.
   */
  constructor(key: string, largestBytes: number = LARGEST_MESSAGE_BYTES) {
    this.#largestBytes = largestBytes;
    this.#key = key === "" ? undefined : createSecretKey(key, "utf8");
  }

  /** The frames of a message; the JSON ones stay strings, which the socket encodes by itself. */
  encode(message: OutgoingMessage, identities: readonly (Uint8Array | string)[] = []): (Uint8Array | string)[] {
    const signed = [
      JSON.stringify(message.header),
      JSON.stringify(message.parent_header),
      JSON.stringify(message.metadata),
      JSON.stringify(message.content),
    ];
    return [...identities, DELIMITER, this.#sign(signed), ...signed, ...message.buffers];
  }

  /** The message of the frames, or why there is none; never throws. Its buffers are the frames themselves, not copies. */
  decode(channel: Channel, frames: readonly Uint8Array[]): Message | WireFault {
    const delimiter = frames.findIndex((frame) => DELIMITER_BYTES.equals(frame));
    const [signature, header, parentHeader, metadata, content] = frames.slice(delimiter + 1, delimiter + 6);
    if (delimiter < 0 || !signature || !header || !parentHeader || !metadata || !content) return "malformed";
    const signed = [header, parentHeader, metadata, content];
    if (signed.reduce((sum, frame) => sum + frame.byteLength, 0) > this.#largestBytes) return "too_large";
    if (!this.#verify(signature, signed)) return "bad_signature";
    try {
      const parsedHeader = parseObject(header);
      if (!isHeader(parsedHeader)) return "malformed";
      return {
        channel,
        header: parsedHeader,
        parent_header: parseObject(parentHeader),
        metadata: parseObject(metadata),
        content: parseObject(content),
        buffers: frames.slice(delimiter + 6),
        sizeBytes: frames.reduce((sum, frame) => sum + frame.byteLength, 0),
      };
    } catch {
      return "malformed";
    }
  }

  #sign(frames: readonly (Uint8Array | string)[]): string {
    if (this.#key === undefined) return "";
    const hmac = createHmac("sha256", this.#key);
    for (const frame of frames) hmac.update(frame);
    return hmac.digest("hex");
  }

  #verify(signature: Uint8Array, frames: readonly Uint8Array[]): boolean {
    if (this.#key === undefined) return true;
    const expected = Buffer.from(this.#sign(frames), "latin1");
    return signature.byteLength === expected.byteLength && timingSafeEqual(signature, expected);
  }
}

function parseObject(frame: Uint8Array): Record<string, unknown> {
  const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString("utf8");
  const value: unknown = text === "{}" ? {} : JSON.parse(text);
  if (isObject(value)) return value;
  throw new SyntaxError("not a JSON object");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Looks at the fields that the routing leans on; kernels of older protocols lack some of the others. */
function isHeader(value: Record<string, unknown>): value is Record<string, unknown> & MessageHeader {
  return typeof value["msg_id"] === "string" && typeof value["msg_type"] === "string" && typeof value["session"] === "string";
}
