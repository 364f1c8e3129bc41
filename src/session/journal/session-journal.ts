/** All that a session writes down for a server to come: its record, and a journal for each execution. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { JournalFile, readJournalFile, type ExecutionJournal, type JournaledExecution } from "./execution-journal.ts";
import { readSessionRecord, SessionRecordFile, type SessionRecord } from "./session-record.ts";

/** A session as it was written down. */
export interface WrittenSession {
  record: SessionRecord;
  executions: JournaledExecution[];
}

/** Writes for one session, below its private folder. */
export class SessionJournal {
  readonly #file: string;
  readonly #executions: JournalFile;
  readonly #record: SessionRecordFile;
  readonly #onFault: (error: unknown) => void;

  /** @param onFault Told what could not be written; the session goes on without. */
  constructor(privateDirectory: string, onFault: (error: unknown) => void) {
    this.#file = executionsFile(privateDirectory);
    this.#executions = new JournalFile(this.#file, onFault);
    this.#record = new SessionRecordFile(privateDirectory);
    this.#onFault = onFault;
  }

  /** Writes the record down. */
  save(record: SessionRecord): void {
    try {
      this.#record.save(record);
    } catch (error) {
      this.#onFault(error);
    }
  }

  /** The journal of a new execution, or of one that is taken up. */
  execution(index: number): ExecutionJournal {
    return this.#executions.of(index);
  }

  /** Nothing more is written; a server to come finds what there is. */
  close(): void {
    this.#executions.close();
  }

  /** The session is over: no later server is to find it. */
  async remove(): Promise<void> {
    this.close();
    await this.#record.remove().catch(this.#onFault);
    await rm(this.#file, { force: true }).catch(this.#onFault);
  }
}

/**
 * Reads what an earlier server wrote down of a session; undefined where it wrote nothing or the session had ended.
 * @throws Error where the record is damaged; it has been set aside.
 */
export async function readSession(privateDirectory: string): Promise<WrittenSession | undefined> {
  const record = await readSessionRecord(privateDirectory);
  if (record === undefined) return undefined;
  return { record, executions: await readJournalFile(executionsFile(privateDirectory)) };
}

function executionsFile(privateDirectory: string): string {
  return join(privateDirectory, "executions.jsonl");
}
