/** The parser of event streams, given whatever a server, a proxy or a broken line may send. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readServerSentEvents } from "../../../src/client/server-sent-events.ts";
import { deadline } from "../../../src/client/waiting.ts";

interface Frame {
  id?: string | undefined;
  event?: string | undefined;
  data: string;
}

const word = fc.stringMatching(/^[a-z_0-9]{1,8}$/);
/** Text without the characters that end a line. */
const lineText = fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.replaceAll(/[\r\n]/g, " "));
const frames = fc.array(fc.record({ id: word, event: word, lines: fc.array(lineText, { minLength: 1, maxLength: 3 }) }), { maxLength: 6 });
const cuts = fc.array(fc.nat(300), { maxLength: 8 });

test("gives each frame once and whole, however the bytes are cut, lines end and comments come between", async () => {
  const between = fc.constantFrom("", ": keep-alive\n\n", "unknown: field\n\n", ":\n");
  await fc.assert(
    fc.asyncProperty(frames, between, fc.constantFrom("\n", "\r\n", "\r"), cuts, async (sent, comment, lineEnd, at) => {
      const text = sent.map(
        ({ id, event, lines }) => `${comment}id: ${id}\nevent: ${event}\n${lines.map((line) => `data: ${line}\n`).join("")}\n`,
      );
      // A line feed behind a last carriage return belongs to it: what ends a frame is known with the next byte only.
      const bytes = Buffer.from(`${text.join("")}: end\n`.replaceAll("\n", lineEnd));
      const expected = sent.map(({ id, event, lines }) => ({ id, event, data: lines.map(asRead).join("\n") }));
      expect(await read(cut(bytes, at))).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test("of any bytes at all makes the same frames wherever they are cut, and fails on none", async () => {
  const syntax = fc
    .constantFrom("data", "event", "id", "retry", ":", " ", "\n", "\r", "\0", "\uFEFF", "é", "🙂", "{", "}")
    .map((text) => Buffer.from(text));
  const junk = fc.array(fc.oneof(syntax, fc.uint8Array({ maxLength: 4 })), { maxLength: 60 }).map((parts) => Buffer.concat(parts));
  await fc.assert(
    fc.asyncProperty(junk, cuts, async (bytes, at) => {
      expect(await read(cut(bytes, at))).toEqual(await read([bytes]));
    }),
    { numRuns: 300 },
  );
});

test("a frame that is cut short is dropped", async () => {
  expect(await read([Buffer.from("id: 1\nevent: output\ndata: {}\n\nid: 2\nevent: done\ndata: {}\n")])).toHaveLength(1);
});

test("a reader that leaves in the middle ends the connection", async () => {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(Buffer.from("data: x\n\n")),
    cancel: () => void (isCancelled = true),
  });
  for await (const { data } of readServerSentEvents(
    body,
    deadline(undefined, null, () => ""),
  )) {
    expect(data).toBe("x");
    break;
  }
  expect(isCancelled).toBe(true);
});

/** What a half of a character becomes on its way through UTF-8. */
function asRead(text: string): string {
  return Buffer.from(text).toString();
}

function cut(bytes: Uint8Array, at: number[]): Uint8Array[] {
  const edges = [0, ...at.map((edge) => Math.min(edge, bytes.length)).toSorted((one, other) => one - other), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}

async function read(chunks: Uint8Array[]): Promise<Frame[]> {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const found: Frame[] = [];
  for await (const { id, event, data } of readServerSentEvents(
    body,
    deadline(undefined, null, () => ""),
  ))
    found.push({ id, event, data });
  return found;
}
