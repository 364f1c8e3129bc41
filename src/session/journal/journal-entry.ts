/** What a session's journal holds of its executions: what was accepted, what the kernel sent, how it ended; and who keeps that. */
import type { LogEntry, Truncation } from "../../api/index.ts";
import type { ExecutionEnd, ExecutionRequest, Intervention } from "../execution.ts";
import type { Repeat } from "../idempotency.ts";
import type { StoredArtifact } from "../result.ts";

/**
 * An entry. `count` numbers the kernel's iopub messages of its execution: what follows the last one stored is asked for again. `id` numbers the
 * execution's events; those that come after its end are in its result only. An artifact that `replaces` an earlier one is its next state; 0: none.
 */
export type JournalEntry =
  | { kind: "accepted"; index: number; queuedAt: string; repeat: Repeat | null; request: ExecutionRequest }
  | { kind: "sent"; messageId: string; startedAt: string; kernel: number }
  | ({ kind: "intervened" } & Intervention)
  | { kind: "stdout"; id: number; count: number; text: string }
  | { kind: "stderr"; id: number; count: number; text: string }
  | { kind: "artifact"; id: number; replaces: number; count: number; artifact: StoredArtifact }
  | { kind: "input_request"; id: number; count: number; prompt: string; password: boolean }
  | { kind: "log"; count: number; entry: LogEntry }
  | { kind: "error"; count: number; text: string }
  | { kind: "value"; count: number; text: string }
  | ({ kind: "sums" } & Sums)
  | { kind: "end"; finishedAt: string; end: ExecutionEnd };

export type EntryKind = JournalEntry["kind"];
export type EntryOf<K extends EntryKind> = Extract<JournalEntry, { kind: K }>;

/** What becomes of the entries in the result: where streams were cut, which artifacts are in it, in their order, and those that hold what overflowed. */
export interface Sums {
  truncated: Truncation | null;
  /** By the ids of their events. */
  shown: number[];
  overflow: StoredArtifact[];
}

/** Reads the entries of an execution in their order, also while more are added. */
export interface EntryReader<K extends EntryKind = EntryKind> {
  /** Some entries; none where there are no more for now. */
  next(): Promise<EntryOf<K>[]>;
  /** Must be called; idempotent. */
  close(): void;
}

/** Keeps the entries of one execution. */
export interface ExecutionJournal {
  /** An artifact that replaces an earlier one takes that out. */
  append(entry: JournalEntry): void;
  /** From the first on, those of these kinds only. */
  read<K extends EntryKind>(...kinds: K[]): EntryReader<K>;
  /** It stays readable until the hold is let go, whatever becomes of the session. @returns Lets go. */
  hold(): () => void;
  /** No artifact will be replaced any more. */
  seal(): void;
  /** The execution is forgotten: no later server is to know it. */
  forget(): void;
}

/** Reads all that there is now. */
export async function* readEntries<K extends EntryKind>(
  journal: ExecutionJournal,
  ...kinds: K[]
): AsyncGenerator<EntryOf<K>, void, undefined> {
  const reader = journal.read(...kinds);
  try {
    for (let some = await reader.next(); some.length > 0; some = await reader.next()) yield* some;
  } finally {
    reader.close();
  }
}

/** The last entry of a kind. */
export async function lastEntry<K extends EntryKind>(journal: ExecutionJournal, kind: K): Promise<EntryOf<K> | undefined> {
  let last: EntryOf<K> | undefined;
  for await (const entry of readEntries(journal, kind)) last = entry;
  return last;
}
