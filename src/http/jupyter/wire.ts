/** How kernel messages travel over a WebSocket: Jupyter's default framing, and `v1.kernel.websocket.jupyter.org`. */
import type { GuestMessage } from "../../session/guest-clients.ts";

/** @see https://jupyter-server.readthedocs.io/en/latest/developers/websocket-protocols.html */
export const V1_PROTOCOL = "v1.kernel.websocket.jupyter.org";

const CHANNELS = ["shell", "control", "stdin", "iopub"] as const;

/** One WebSocket message. */
export interface Frame {
  data: Buffer | string;
  isBinary: boolean;
}

/** @param protocol The one agreed on; any but {@link V1_PROTOCOL} means the default framing. */
export function encodeFrame(message: GuestMessage, protocol: string): Frame {
  if (protocol === V1_PROTOCOL) return { data: encodeV1(message), isBinary: true };
  const { buffers, ...rest } = message;
  const json = JSON.stringify({ ...rest, msg_id: message.header.msg_id, msg_type: message.header.msg_type, buffers: [] });
  if (buffers.length === 0) return { data: json, isBinary: false };
  return { data: encodeWithBuffers(json, buffers), isBinary: true };
}

/** @throws SyntaxError where it is no kernel message in this framing. */
export function decodeFrame({ data, isBinary }: { data: Buffer; isBinary: boolean }, protocol: string): GuestMessage {
  try {
    if (protocol === V1_PROTOCOL) return decodeV1(data);
    if (!isBinary) return checked(JSON.parse(data.toString("utf8")), []);
    const [json, ...buffers] = split(data, offsetsOf32(data));
    return checked(JSON.parse((json ?? Buffer.alloc(0)).toString("utf8")), buffers);
  } catch (error) {
    throw error instanceof SyntaxError ? error : new SyntaxError("not a kernel message", { cause: error });
  }
}

/** `count, offset..., JSON, buffer...`; numbers have 32 bits, the highest byte first. */
function encodeWithBuffers(json: string, buffers: readonly Uint8Array[]): Buffer {
  const parts = [Buffer.from(json), ...buffers];
  const head = Buffer.alloc(4 * (parts.length + 1));
  head.writeUInt32BE(parts.length, 0);
  let offset = head.length;
  for (const [index, part] of parts.entries()) {
    head.writeUInt32BE(offset, 4 * (index + 1));
    offset += part.byteLength;
  }
  return Buffer.concat([head, ...parts]);
}

function offsetsOf32(data: Buffer): number[] {
  const count = data.readUInt32BE(0);
  if (count > data.length / 4) throw new RangeError("more parts than bytes");
  return [...Array.from({ length: count }, (_, index) => data.readUInt32BE(4 * (index + 1))), data.length];
}

/** `count, offset..., channel, header, parent header, metadata, content, buffer...`; numbers have 64 bits, the lowest byte first. */
function encodeV1({ channel, header, parent_header, metadata, content, buffers }: GuestMessage): Buffer {
  const json = [header, parent_header, metadata, content].map((part) => Buffer.from(JSON.stringify(part)));
  const parts = [Buffer.from(channel), ...json, ...buffers];
  const head = Buffer.alloc(8 * (parts.length + 2));
  head.writeBigUInt64LE(BigInt(parts.length + 1), 0);
  let offset = head.length;
  for (const [index, part] of [...parts, Buffer.alloc(0)].entries()) {
    head.writeBigUInt64LE(BigInt(offset), 8 * (index + 1));
    offset += part.byteLength;
  }
  return Buffer.concat([head, ...parts]);
}

function decodeV1(data: Buffer): GuestMessage {
  const count = Number(data.readBigUInt64LE(0));
  if (count > data.length / 8) throw new RangeError("more parts than bytes");
  const offsets = Array.from({ length: count }, (_, index) => Number(data.readBigUInt64LE(8 * (index + 1))));
  const [channel, header, parent, metadata, content, ...buffers] = split(data, offsets);
  if (content === undefined) throw new SyntaxError("a part is missing");
  const [headerValue, parentValue, metadataValue, contentValue] = [header, parent, metadata, content].map((part): unknown =>
    JSON.parse((part ?? Buffer.alloc(0)).toString("utf8")),
  );
  const fields = { header: headerValue, parent_header: parentValue, metadata: metadataValue, content: contentValue };
  return checked({ ...fields, channel: channel?.toString("utf8") }, buffers);
}

/** The parts between each offset and the next. */
function split(data: Buffer, offsets: number[]): Buffer[] {
  return offsets.slice(0, -1).map((start, index) => {
    const end = offsets[index + 1] ?? data.length;
    if (start > end || end > data.length) throw new RangeError("an offset lies outside of the message");
    return data.subarray(start, end);
  });
}

/** Fields that clients leave out are filled in; those that routing leans on must be there. */
function checked(value: unknown, buffers: Uint8Array[]): GuestMessage {
  const { channel, header, parent_header, metadata, content } = asRecord(value);
  const { msg_id, msg_type, session, username, date, version, ...more } = asRecord(header);
  const known = CHANNELS.find((candidate) => candidate === (channel ?? "shell"));
  if (known === undefined || typeof msg_id !== "string" || typeof msg_type !== "string") throw new SyntaxError("not a kernel message");
  return {
    channel: known,
    header: {
      ...more,
      msg_id,
      msg_type,
      session: stringOr(session, ""),
      username: stringOr(username, ""),
      date: stringOr(date, new Date().toISOString()),
      version: stringOr(version, "5.3"),
    },
    parent_header: asRecord(parent_header ?? {}),
    metadata: asRecord(metadata ?? {}),
    content: asRecord(content ?? {}),
    buffers,
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new SyntaxError("not a kernel message");
}

function stringOr(value: unknown, fallback: string): string {
  return typeof value === "string" ? value : fallback;
}
