/** The journal of a session's executions: what was accepted, what the kernel sent, how it ended; one JSON line each, appended as it happens. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { LogEntry, Truncation } from "../../api/index.ts";
import type { ExecutionEnd, ExecutionRequest, Intervention } from "../execution.ts";
import type { Repeat } from "../idempotency.ts";
import type { StoredEvent } from "../result.ts";

/** A line of the journal. `count` numbers the kernel's iopub messages of this execution: what follows the last one stored is asked for again. */
export type JournalEntry =
  | { kind: "accepted"; request: ExecutionRequest; index: number; queuedAt: string; repeat: Repeat | null }
  | { kind: "sent"; messageId: string; startedAt: string; kernel: number }
  | ({ kind: "intervened" } & Intervention)
  | { kind: "event"; count: number; event: StoredEvent }
  | { kind: "log"; count: number; entry: LogEntry }
  | { kind: "error"; count: number; text: string }
  | { kind: "value"; count: number; text: string }
  | { kind: "truncated"; truncated: Truncation }
  | { kind: "end"; end: ExecutionEnd; finishedAt: string };

/** An execution as its journal tells it. */
export interface JournaledExecution {
  accepted: Extract<JournalEntry, { kind: "accepted" }>;
  entries: JournalEntry[];
}

/** A line of the file: an entry, and the index of the execution that it is about. */
type Line = { of: number } & (JournalEntry | { kind: "forgotten" });

/**
 * Appends to the one journal of a session. Lines are written at once, in order, to the page cache: they survive the server, not the machine.
 * Where the disk fails the journal ends there, and the session goes on without.
 */
export class JournalFile {
  readonly #file: string;
  readonly #onFault: (error: unknown) => void;
  #descriptor = -1;
  #ended = false;

  constructor(file: string, onFault: (error: unknown) => void) {
    this.#file = file;
    this.#onFault = onFault;
  }

  /** The journal of one execution in this file. */
  of(index: number): ExecutionJournal {
    return {
      append: (entry) => this.#append({ of: index, ...entry }),
      forget: () => this.#append({ of: index, kind: "forgotten" }),
    };
  }

  /** No more is written; idempotent. */
  close(): void {
    this.#ended = true;
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  #append(line: Line): void {
    if (this.#ended) return;
    try {
      if (this.#descriptor < 0) this.#descriptor = openForAppending(this.#file);
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
      for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written);
    } catch (error) {
      this.close();
      this.#onFault(error);
    }
  }
}

/** What one execution writes down. */
export interface ExecutionJournal {
  append(entry: JournalEntry): void;
  /** The execution is forgotten: no later server is to know it. */
  forget(): void;
}

/** Reads the journal of a session: its executions in the order of acceptance. A damaged line costs itself, at most its execution. */
export async function readJournalFile(file: string): Promise<JournaledExecution[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const entries = new Map<number, JournalEntry[]>();
  for (const line of parseLines(text)) {
    const { of: index, ...entry } = line;
    if (entry.kind === "forgotten") entries.delete(index);
    else if (entry.kind === "accepted") entries.set(index, [entry]);
    else entries.get(index)?.push(entry);
  }
  return [...entries.values()].flatMap((own) => {
    const [accepted] = own;
    return accepted?.kind === "accepted" ? [{ accepted, entries: own }] : [];
  });
}

/** A server that was killed in the middle of a line leaves its beginning; the next line must not continue it. */
function openForAppending(file: string): number {
  const descriptor = openSync(file, "a+", 0o600);
  const { size } = fstatSync(descriptor);
  const last = Buffer.alloc(1);
  if (size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a) writeSync(descriptor, "\n");
  return descriptor;
}

function parseLines(text: string): Line[] {
  return text.split("\n").flatMap((line) => {
    if (line === "") return [];
    try {
      return [JSON.parse(line) as Line];
    } catch {
      return [];
    }
  });
}
