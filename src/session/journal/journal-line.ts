/** One line of a journal's file: what its beginning tells without its being parsed. */
import type { EntryKind, JournalEntry } from "./journal-entry.ts";

/** The first line of a file; a file of another version is none of ours. */
export const VERSION_LINE = `{"version":2}\n`;

/** The line of an entry, with the index of the execution that it is about. */
export function lineOf(index: number, entry: JournalEntry | { kind: "forgotten" }): string {
  const { kind, ...others } = entry;
  // What is read without parsing comes first.
  const { id, replaces, ...rest } = others as { id?: number; replaces?: number };
  return `${JSON.stringify({ of: index, kind, id, replaces, ...rest })}\n`;
}

/** What a line begins with. */
export interface LineHead {
  index: number;
  kind: EntryKind | "forgotten";
  /** 0 where it has none. */
  id: number;
  replaces: number;
}

const HEAD = /^\{"of":(\d+),"kind":"(\w+)"(?:,"id":(\d+))?(?:,"replaces":(\d+))?/;
const HEAD_BYTES = 100;

/** The head of the line that begins at `start`; undefined where it is damaged. */
export function headOf(bytes: Buffer, start: number, end: number): LineHead | undefined {
  const found = HEAD.exec(bytes.toString("latin1", start, Math.min(start + HEAD_BYTES, end)));
  if (found === null) return undefined;
  const [, index, kind, id = 0, replaces = 0] = found;
  return { index: Number(index), kind: kind as LineHead["kind"], id: Number(id), replaces: Number(replaces) };
}

/** The entry of a line; undefined where it is damaged. */
export function parseLine(bytes: Buffer, start: number, end: number): JournalEntry | undefined {
  try {
    const { of: _, ...entry } = JSON.parse(bytes.toString("utf8", start, end)) as { of: number } & JournalEntry;
    return entry;
  } catch {
    return undefined;
  }
}
