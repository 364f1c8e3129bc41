import fc from "fast-check";
import { expect, test } from "vitest";
import { EventFrames } from "../../../src/gateway/event-frames.ts";

const FRAMES = [
  'id: 1\nevent: output\ndata: {"text":"a\\n\\nid: 99"}\n\n',
  ": keep-alive\n\n",
  'id: 2\nevent: result\ndata: {"output":"ü🙂"}\n\n',
  "id: 3\nevent: done\ndata: {}\n\n",
];
const TEXT = FRAMES.join("");

test("only whole frames come out, however the bytes are cut", () => {
  const bytes = Buffer.from(TEXT);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 }), (cuts) => {
      const frames = new EventFrames();
      const edges = [0, ...cuts.toSorted((one, other) => one - other), bytes.length];
      let text = "";
      let last: ReturnType<EventFrames["push"]>;
      for (let index = 1; index < edges.length; index += 1) {
        const whole = frames.push(bytes.subarray(edges[index - 1], edges[index]));
        if (whole === undefined) continue;
        text += whole.bytes.toString();
        expect(text.endsWith("\n\n")).toBe(true);
        last = whole;
      }
      expect(text).toBe(TEXT);
      expect(last).toMatchObject({ lastId: 3, isDone: true });
    }),
  );
});

test("what has not ended stays behind", () => {
  const frames = new EventFrames();
  expect(frames.push(Buffer.from(`${FRAMES[0]}id: 2\nevent: res`))).toMatchObject({ lastId: 1, isDone: false, hasResult: false });
  expect(frames.push(Buffer.from("ult\ndata: {}\n"))).toBeUndefined();
  expect(frames.push(Buffer.from("\n"))).toMatchObject({ lastId: 2, hasResult: true });
});
