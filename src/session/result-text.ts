/** The JSON text of an execution's result and events as one reader gets it; of a large result in pieces, so that each reader takes its own time. */
import type { Execution } from "./execution.ts";
import { lastEntry, readEntries, type EntryOf } from "./journal/journal-entry.ts";
import { renderArtifact, renderOutline, renderResult, type Reader, type StoredEvent } from "./result.ts";

/** Longer pieces are cut: what was sent and not yet taken lies in memory once for each reader. */
const PIECE_LENGTH = 64 * 1024;

/** The text of the result of an execution that is done; in pieces where it is not in memory. */
export function resultText(execution: Execution, reader: Reader): string | AsyncGenerator<string, void, undefined> {
  const { result } = execution;
  return result === undefined ? gathered(journaledResult(execution, reader)) : renderResult(result, reader);
}

/** The text of an event's data. */
export function eventText(event: StoredEvent, execution: Execution, reader: Reader): string | AsyncGenerator<string, void, undefined> {
  switch (event.event) {
    case "artifact":
      return renderArtifact(event.data, reader);
    case "result":
      return resultText(execution, reader);
    case "done":
      return "{}";
    default:
      return JSON.stringify(event.data);
  }
}

async function* journaledResult(execution: Execution, reader: Reader): AsyncGenerator<string, void, undefined> {
  const { journal } = execution;
  const release = journal.hold();
  try {
    const end = (await lastEntry(journal, "end"))?.end;
    if (end === undefined) throw new Error("the end of the execution is not in its journal");
    const { truncated, shown, overflow } = await execution.sums();
    yield renderOutline({ ...execution.outline(end), truncated });
    yield* list(execution, "stdout", ({ text }) => JSON.stringify(text));
    yield* list(execution, "stderr", ({ text }) => JSON.stringify(text));
    yield* list(execution, "log", ({ entry }) => JSON.stringify(entry));
    yield ',"artifact":[';
    let separator = "";
    for await (const artifact of inOrder(readEntries(journal, "artifact"), shown)) {
      yield separator + renderArtifact(artifact.artifact, reader);
      separator = ",";
    }
    for (const artifact of overflow) {
      yield separator + renderArtifact(artifact, reader);
      separator = ",";
    }
    yield "]}";
  } finally {
    release();
  }
}

async function* list<K extends "stdout" | "stderr" | "log">(
  { journal }: Execution,
  kind: K,
  render: (entry: EntryOf<K>) => string,
): AsyncGenerator<string, void, undefined> {
  yield `,"${kind}":[`;
  let separator = "";
  for await (const entry of readEntries(journal, kind)) {
    yield separator + render(entry);
    separator = ",";
  }
  yield "]";
}

/** Those of these ids in the order of the ids; what comes before its turn waits for that. */
async function* inOrder(entries: AsyncIterable<EntryOf<"artifact">>, ids: readonly number[]): AsyncGenerator<EntryOf<"artifact">> {
  const wanted = new Set(ids);
  const early = new Map<number, EntryOf<"artifact">>();
  let turn = 0;
  for await (const entry of entries) {
    if (!wanted.has(entry.id)) continue;
    early.set(entry.id, entry);
    for (let id = ids[turn]; id !== undefined; id = ids[turn]) {
      const next = early.get(id);
      if (next === undefined) break;
      early.delete(id);
      turn += 1;
      yield next;
    }
  }
  // One that is missing (a damaged line) holds up no other.
  for (const id of ids.slice(turn)) {
    const late = early.get(id);
    if (late !== undefined) yield late;
  }
}

/** Pieces of about one size: what is small is put together, what is large is cut. */
async function* gathered(parts: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let waiting: string[] = [];
  let length = 0;
  for await (const part of parts) {
    if (length + part.length < PIECE_LENGTH) {
      waiting.push(part);
      length += part.length;
      continue;
    }
    if (length > 0) yield waiting.join("");
    let at = 0;
    while (part.length - at >= PIECE_LENGTH) {
      const end = isFirstHalf(part.charCodeAt(at + PIECE_LENGTH - 1)) ? at + PIECE_LENGTH - 1 : at + PIECE_LENGTH;
      yield part.slice(at, end);
      at = end;
    }
    waiting = [part.slice(at)];
    length = part.length - at;
  }
  yield waiting.join("");
}

/** Of a character that UTF-16 writes as two: cut in between, neither half could be sent. */
function isFirstHalf(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}
