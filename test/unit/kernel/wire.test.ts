/** The wire format: what is encoded comes back, what is not the kernel's is refused. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Message } from "../../../src/kernel/messages.ts";
import { WireCodec, type OutgoingMessage } from "../../../src/kernel/wire.ts";

const KEY = "a0436f6c-1916-498b-8eb9-e81ab9368e84";
const codec = new WireCodec(KEY);

const header = fc.record({
  msg_id: fc.string(),
  session: fc.string(),
  username: fc.string({ unit: "binary" }),
  date: fc.string(),
  msg_type: fc.string(),
  version: fc.constant("5.4"),
});
const jsonObject = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue(), { maxKeys: 4 });
const outgoing: fc.Arbitrary<OutgoingMessage> = fc.record({
  header,
  parent_header: fc.oneof(fc.constant({}), header),
  metadata: jsonObject,
  content: jsonObject,
  buffers: fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 3 }),
});
const identity = fc.uint8Array({ maxLength: 10 });

describe("a message", () => {
  test("comes back from its frames as it was", () => {
    fc.assert(
      fc.property(outgoing, fc.array(identity, { maxLength: 3 }), fc.constantFrom(KEY, ""), (message, identities, key) => {
        const both = new WireCodec(key);
        const frames = bytes(both.encode(message, identities));
        const { buffers, sizeBytes, ...decoded } = decodedOf(both.decode("iopub", frames));
        expect(sizeBytes).toBe(frames.reduce((sum, { length }) => sum + length, 0));
        expect(decoded).toEqual({ ...viaJson({ ...message, buffers: undefined }), channel: "iopub" });
        expect(buffers.map((buffer) => Buffer.from(buffer))).toEqual(message.buffers.map((buffer) => Buffer.from(buffer)));
      }),
    );
  });

  test("is signed as the specification says: HMAC-SHA256 over the four JSON frames, in hexadecimal", () => {
    const frames = codec.encode(simpleMessage());
    const hmac = createHmac("sha256", KEY);
    for (const frame of frames.slice(2, 6)) hmac.update(frame);
    expect(frames[1]).toBe(hmac.digest("hex"));
  });

  test("has an empty signature where there is no key", () => {
    expect(new WireCodec("").encode(simpleMessage())[1]).toBe("");
  });

  test("keeps its buffers without copying them", () => {
    const frames = bytes(codec.encode({ ...simpleMessage(), buffers: [new Uint8Array([1, 2])] }));
    expect(decodedOf(codec.decode("shell", frames)).buffers[0]).toBe(frames.at(-1));
  });
});

describe("frames are refused", () => {
  test("where any byte of what is signed was changed", () => {
    fc.assert(
      fc.property(outgoing, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, position, change) => {
        const frames = bytes(codec.encode(message));
        flipByte(frames.slice(2, 6), position, change);
        expect(codec.decode("shell", frames)).toBe("bad_signature");
      }),
    );
  });

  test("where any byte of the signature was changed", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const frames = bytes(codec.encode(simpleMessage()));
        flipByte(frames.slice(1, 2), position, change);
        expect(codec.decode("shell", frames)).toBe("bad_signature");
      }),
    );
  });

  test.each(["", "00", "x".repeat(64)])("where the signature is %j", (signature) => {
    const frames = bytes(codec.encode(simpleMessage()));
    frames[1] = Buffer.from(signature);
    expect(codec.decode("shell", frames)).toBe("bad_signature");
  });

  test("where another key signed", () => {
    expect(codec.decode("shell", bytes(new WireCodec("other").encode(simpleMessage())))).toBe("bad_signature");
  });

  test("where frames are missing, or the delimiter is", () => {
    const frames = bytes(codec.encode(simpleMessage()));
    for (let length = 0; length < frames.length; length += 1) {
      expect(codec.decode("shell", frames.slice(0, length))).toBe("malformed");
    }
    expect(codec.decode("shell", frames.slice(1))).toBe("malformed");
  });

  test.each(["", "[]", "null", "1", '"text"', "{", '{"a":NaN}'])("where a signed frame is %j", (text) => {
    for (const index of [0, 1, 2, 3]) {
      const signed = codec.encode(simpleMessage()).slice(2, 6);
      signed[index] = text;
      const signature = signed.reduce((hmac, frame) => hmac.update(frame), createHmac("sha256", KEY)).digest("hex");
      expect(codec.decode("shell", bytes(["<IDS|MSG>", signature, ...signed]))).toBe("malformed");
    }
  });

  test.each(["msg_id", "msg_type", "session"])("where the header lacks its %s", (field) => {
    const message = simpleMessage();
    Reflect.deleteProperty(message.header, field);
    expect(codec.decode("shell", bytes(codec.encode(message)))).toBe("malformed");
  });

  test("where they are larger than what is read, which is looked at before the signature; buffers do not count", () => {
    const frames = bytes(codec.encode({ ...simpleMessage(), buffers: [new Uint8Array(1000)] }));
    const sizeBytes = frames.slice(2, 6).reduce((sum, frame) => sum + frame.length, 0);
    expect(new WireCodec(KEY, sizeBytes).decode("shell", frames)).toBeTypeOf("object");
    expect(new WireCodec(KEY, sizeBytes - 1).decode("shell", frames)).toBe("too_large");
    expect(new WireCodec("other", sizeBytes - 1).decode("shell", frames)).toBe("too_large");
  });

  test("but never with an exception, whatever they are", () => {
    const delimiter = fc.constant(Buffer.from("<IDS|MSG>"));
    const frame = fc.oneof({ weight: 3, arbitrary: fc.uint8Array({ maxLength: 30 }) }, { weight: 1, arbitrary: delimiter });
    const unsigned = new WireCodec("");
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 10 }), (frames) => {
        expect(codec.decode("iopub", frames)).toBeTypeOf("string");
        unsigned.decode("iopub", frames);
      }),
    );
  });
});

test("a key of __proto__ in a kernel's JSON stays a plain key", () => {
  const content = JSON.parse('{"__proto__": {"polluted": true}}') as Record<string, unknown>;
  const decoded = decodedOf(codec.decode("shell", bytes(codec.encode({ ...simpleMessage(), content }))));
  expect(Object.keys(decoded.content)).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

function simpleMessage(): OutgoingMessage {
  const parts = { msg_id: "1", session: "s", username: "u", date: "2020-01-01T00:00:00Z", msg_type: "status", version: "5.4" };
  return { header: parts, parent_header: {}, metadata: {}, content: { execution_state: "idle" }, buffers: [] };
}

function bytes(frames: (Uint8Array | string)[]): Uint8Array[] {
  return frames.map((frame) => Buffer.from(frame as string));
}

function decodedOf(result: ReturnType<WireCodec["decode"]>): Message {
  if (typeof result === "string") throw new Error(result);
  return result;
}

/** What JSON makes of a value: -0 becomes 0, a lone surrogate its escape. */
function viaJson(message: object): object {
  return JSON.parse(JSON.stringify(message)) as object;
}

function flipByte(frames: Uint8Array[], position: number, change: number): void {
  const total = frames.reduce((sum, frame) => sum + frame.length, 0);
  let index = position % total;
  for (const frame of frames) {
    if (index < frame.length) {
      frame[index] = (frame[index] ?? 0) ^ change;
      return;
    }
    index -= frame.length;
  }
}
