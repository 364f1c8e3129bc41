/** The journal of one execution: what was accepted, what the kernel sent, how it ended; one JSON line each, appended as it happens. */
import { closeSync, openSync, writeSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { LogEntry, Truncation } from "../../api/index.ts";
import type { ExecutionEnd, ExecutionRequest } from "../execution.ts";
import type { Repeat } from "../idempotency.ts";
import type { StoredEvent } from "../result.ts";

/** A line of the journal. `count` numbers the kernel's iopub messages of this execution: what follows the last one stored is asked for again. */
export type JournalEntry =
  | { kind: "accepted"; request: ExecutionRequest; index: number; queuedAt: string; repeat: Repeat | null }
  | { kind: "sent"; messageId: string; startedAt: string }
  | { kind: "event"; count: number; event: StoredEvent }
  | { kind: "log"; count: number; entry: LogEntry }
  | { kind: "error"; count: number; text: string }
  | { kind: "value"; count: number; text: string }
  | { kind: "truncated"; truncated: Truncation }
  | { kind: "end"; end: ExecutionEnd; finishedAt: string };

/** An execution as its journal tells it. */
export interface JournaledExecution {
  file: string;
  accepted: Extract<JournalEntry, { kind: "accepted" }>;
  entries: JournalEntry[];
}

/**
 * Appends to the journal of one execution. Lines are written at once, in order, to the page cache: they survive the server, not the machine.
 * Where the disk fails the journal ends there, and the execution goes on without.
 */
export class ExecutionJournal {
  readonly #file: string;
  readonly #onFault: (error: unknown) => void;
  #descriptor = -1;
  #failed = false;

  constructor(directory: string, index: number, onFault: (error: unknown) => void) {
    this.#file = join(directory, `${String(index).padStart(9, "0")}.jsonl`);
    this.#onFault = onFault;
  }

  /** Adds a line. */
  append(entry: JournalEntry): void {
    if (this.#failed) return;
    try {
      if (this.#descriptor < 0) this.#descriptor = openSync(this.#file, "a", 0o600);
      const line = Buffer.from(`${JSON.stringify(entry)}\n`);
      for (let written = 0; written < line.length;) written += writeSync(this.#descriptor, line, written);
    } catch (error) {
      this.#failed = true;
      this.close();
      this.#onFault(error);
    }
  }

  /** Closes the file; a later line opens it again. */
  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  /** The execution is forgotten. */
  async remove(): Promise<void> {
    this.#failed = true;
    this.close();
    await rm(this.#file, { force: true });
  }
}

/** Reads all journals of a session in the order of acceptance. A damaged file costs its execution; a line that was cut costs itself. */
export async function readExecutionJournals(
  directory: string,
  onFault: (file: string, error: unknown) => void,
): Promise<JournaledExecution[]> {
  const names = await readdir(directory).catch((): string[] => []);
  const journals: JournaledExecution[] = [];
  for (const name of names.filter((candidate) => candidate.endsWith(".jsonl")).toSorted()) {
    const file = join(directory, name);
    try {
      const entries = parseLines(await readFile(file, "utf8"));
      const accepted = entries.find((entry) => entry.kind === "accepted");
      if (accepted !== undefined) journals.push({ file, accepted, entries });
    } catch (error) {
      onFault(file, error);
    }
  }
  return journals;
}

function parseLines(text: string): JournalEntry[] {
  const lines = text.split("\n");
  // A server killed in the middle of a line leaves its beginning.
  if (lines.at(-1) !== "") lines.pop();
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as JournalEntry);
}
