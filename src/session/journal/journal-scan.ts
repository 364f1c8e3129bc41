/** Reads what an earlier server wrote down of a session's executions: where their lines are, and of those that are done no more than that. */
import { createReadStream } from "node:fs";
import type { EntryOf } from "./journal-entry.ts";
import { briefly, type ExecutionRequest } from "../execution.ts";
import { headOf, parseLine, VERSION_LINE, type LineHead } from "./journal-line.ts";
import { Ranges, type Range } from "./ranges.ts";

/** An execution as its journal tells it. */
export interface JournaledExecution {
  /** The code is left out where it is done. */
  accepted: EntryOf<"accepted">;
  sent?: EntryOf<"sent">;
  intervened?: EntryOf<"intervened">;
  /** How it ended, without the parts of its result. */
  end?: EntryOf<"end">;
  /** Number of the last event before its end. */
  lastEventId: number;
  ranges: Ranges;
  /** Of artifacts that may yet be replaced, by the ids of their events. */
  places: Map<number, Range>;
}

const PIECE_BYTES = 1024 * 1024;
const LINE_END = 0x0a;

/** The executions in the order of acceptance. A damaged line costs itself, at most its execution; a file of another version is taken as empty. */
export async function scanJournal(file: string): Promise<JournaledExecution[]> {
  const scan = new Scan();
  try {
    for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) scan.take(piece as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return scan.executions;
}

class Scan {
  readonly #found = new Map<number, JournaledExecution>();
  /** The beginning of a line whose end is still to come. */
  #open: Buffer[] = [];
  /** Where in the file the line begins that comes next. */
  #position = 0;
  #isOurs: boolean | undefined;

  get executions(): JournaledExecution[] {
    const executions = [...this.#found.values()];
    for (const { end, places } of executions) if (end !== undefined) places.clear();
    return executions;
  }

  take(piece: Buffer): void {
    const last = piece.lastIndexOf(LINE_END);
    if (last < 0) return void this.#open.push(piece);
    // Most lines lie in one piece, and are looked at where they are.
    const lines = this.#open.length === 0 ? piece.subarray(0, last + 1) : Buffer.concat([...this.#open, piece.subarray(0, last + 1)]);
    this.#open = last + 1 < piece.length ? [piece.subarray(last + 1)] : [];
    for (let start = 0; start < lines.length;) {
      const end = lines.indexOf(LINE_END, start);
      this.#isOurs ??= lines.toString("utf8", start, end + 1) === VERSION_LINE;
      if (this.#isOurs) this.#takeLine(lines, start, end);
      start = end + 1;
    }
    this.#position += lines.length;
  }

  #takeLine(lines: Buffer, start: number, end: number): void {
    const head = headOf(lines, start, end);
    if (head === undefined) return;
    if (head.kind === "forgotten") return void this.#found.delete(head.index);
    if (head.kind === "accepted") this.#accept(head.index, lines, start, end);
    const execution = this.#found.get(head.index);
    if (execution === undefined) return;
    const place = { start: this.#position + start, end: this.#position + end + 1 };
    execution.ranges.add(place.start, place.end);
    this.#note(execution, head, place);
    if (head.kind === "sent" || head.kind === "intervened" || head.kind === "end") this.#noteParsed(execution, lines, start, end);
  }

  #accept(index: number, lines: Buffer, start: number, end: number): void {
    const accepted = parseLine(lines, start, end);
    if (accepted?.kind === "accepted" && isRequest(accepted.request))
      this.#found.set(index, { accepted, lastEventId: 0, ranges: new Ranges(), places: new Map() });
    else this.#found.delete(index);
  }

  #note(execution: JournaledExecution, { kind, id, replaces }: LineHead, place: Range): void {
    if (id > 0 && execution.end === undefined) execution.lastEventId = Math.max(execution.lastEventId, id);
    if (kind !== "artifact") return;
    const replaced = execution.places.get(replaces);
    if (replaced !== undefined) execution.ranges.remove(replaced.start, replaced.end);
    execution.places.delete(replaces);
    execution.places.set(id, place);
  }

  #noteParsed(execution: JournaledExecution, lines: Buffer, start: number, end: number): void {
    const entry = parseLine(lines, start, end);
    if (entry?.kind === "sent") execution.sent = entry;
    else if (entry?.kind === "intervened") execution.intervened ??= entry;
    else if (entry?.kind === "end" && typeof entry.end?.reason === "string") {
      execution.end = { ...entry, end: briefly(entry.end) };
      execution.accepted.request = { ...execution.accepted.request, code: "" };
    }
  }
}

/** A line may be JSON and yet not what was written. */
function isRequest(value: unknown): value is ExecutionRequest {
  if (typeof value !== "object" || value === null) return false;
  const { executionId, code, timeoutMs } = value as Partial<Record<keyof ExecutionRequest, unknown>>;
  return typeof executionId === "string" && typeof code === "string" && (timeoutMs === null || typeof timeoutMs === "number");
}
