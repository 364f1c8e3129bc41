/** The framings of kernel messages on WebSockets, against JupyterLab's own code for them. */
import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFrame, encodeFrame, V1_PROTOCOL } from "../../../src/http/jupyter/wire.ts";
import type { GuestMessage } from "../../../src/session/guest-clients.ts";

const MESSAGE: GuestMessage = {
  channel: "shell",
  header: { msg_id: "1", msg_type: "comm_msg", session: "s", username: "u", date: "2020-01-01T00:00:00Z", version: "5.4" },
  parent_header: {},
  metadata: { a: [1] },
  content: { text: "ä\u2028😀" },
  buffers: [],
};

/** The default framing does not say where its last buffer ends: one that is cut there is only shorter. */
const BUFFER_BYTES = 3;

const contents = fc.dictionary(fc.string(), fc.jsonValue());
const messages = fc.record({ content: contents, metadata: contents, buffers: fc.array(fc.uint8Array(), { maxLength: 4 }) });

describe.each([V1_PROTOCOL, ""])("a message over %j", (protocol) => {
  test("is read by JupyterLab's code as it was written here, and the other way round", () => {
    fc.assert(
      fc.property(messages, (parts) => {
        const message = {
          ...MESSAGE,
          ...JSON.parse(JSON.stringify({ content: parts.content, metadata: parts.metadata })),
          buffers: parts.buffers,
        };
        const { data, isBinary } = encodeFrame(message, protocol);
        const read = deserialize((typeof data === "string" ? data : toArrayBuffer(data)) as ArrayBuffer, protocol);
        expect(read).toMatchObject({ channel: "shell", header: message.header, content: message.content, metadata: message.metadata });
        expect(bytesOf(read.buffers ?? [])).toEqual(parts.buffers.map((buffer) => [...buffer]));
        expect(isBinary).toBe(protocol === V1_PROTOCOL || parts.buffers.length > 0);
        const sent = serialize({ ...message, buffers: parts.buffers.map((buffer) => buffer.slice().buffer) } as never, protocol);
        const back = decodeFrame(
          { data: typeof sent === "string" ? Buffer.from(sent) : Buffer.from(sent), isBinary: typeof sent !== "string" },
          protocol,
        );
        expect({ ...back, buffers: bytesOf(back.buffers) }).toEqual({ ...message, buffers: parts.buffers.map((buffer) => [...buffer]) });
      }),
      { numRuns: 50 },
    );
  });

  test("that is none is refused, whatever it is", () => {
    const whole = encodeFrame({ ...MESSAGE, buffers: [new Uint8Array(BUFFER_BYTES)] }, protocol).data as Buffer;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat({ max: whole.length - BUFFER_BYTES - 1 }), (noise, length) => {
        for (const data of [Buffer.from(noise), whole.subarray(0, length)]) {
          expect(() => decodeFrame({ data, isBinary: true }, protocol)).toThrow(SyntaxError);
        }
      }),
    );
  });

  test.each([
    ["a wild count", Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3])],
    ["an offset beyond the end", offsetBeyond(protocol)],
    ["nothing at all", Buffer.alloc(0)],
  ])("with %s is refused at once", (_what, data) => {
    expect(() => decodeFrame({ data, isBinary: true }, protocol)).toThrow(SyntaxError);
  });
});

describe("a message of a client's", () => {
  const decode = (value: unknown): GuestMessage => decodeFrame({ data: Buffer.from(JSON.stringify(value)), isBinary: false }, "");

  test("may lack what its sender thought superfluous", () => {
    expect(
      decode({ header: { msg_id: "1", msg_type: "execute_request", session: "s", subshell_id: "x" }, content: { code: "1" } }),
    ).toMatchObject({
      channel: "shell",
      header: { msg_id: "1", username: "", version: "5.3", subshell_id: "x", date: expect.any(String) },
      parent_header: {},
      metadata: {},
      buffers: [],
    });
  });

  test.each([
    ["no header", { channel: "shell", content: {} }],
    ["no id", { channel: "shell", header: { msg_type: "x" } }],
    ["no type", { channel: "shell", header: { msg_id: "1" } }],
    ["an unknown channel", { ...MESSAGE, channel: "hb" }],
    ["a content that is no object", { ...MESSAGE, content: [1] }],
    ["a list in its place", [1]],
  ])("with %s is refused", (_what, value) => {
    expect(() => decode(value)).toThrow(SyntaxError);
  });
});

function bytesOf(buffers: readonly (ArrayBuffer | ArrayBufferView)[]): number[][] {
  return buffers.map((buffer) =>
    ArrayBuffer.isView(buffer) ? [...new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)] : [...new Uint8Array(buffer)],
  );
}

function toArrayBuffer(data: Buffer): ArrayBuffer {
  return new Uint8Array(data).buffer;
}

/** A frame whose second offset was moved behind its end. */
function offsetBeyond(protocol: string): Buffer {
  const data = encodeFrame({ ...MESSAGE, buffers: [new Uint8Array(1)] }, protocol).data as Buffer;
  if (protocol === V1_PROTOCOL) data.writeBigUInt64LE(1_000_000n, 16);
  else data.writeUInt32BE(1_000_000, 8);
  return data;
}
