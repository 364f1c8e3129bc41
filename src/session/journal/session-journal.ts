/** All that a session writes down for a server to come: its record, and a journal for each execution. */
import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ExecutionJournal, readExecutionJournals, type JournaledExecution } from "./execution-journal.ts";
import { readSessionRecord, SessionRecordFile, type SessionRecord } from "./session-record.ts";

/** A session as it was written down. */
export interface WrittenSession {
  record: SessionRecord;
  executions: JournaledExecution[];
}

/** Writes for one session, below its private folder. */
export class SessionJournal {
  readonly #directory: string;
  readonly #record: SessionRecordFile;
  readonly #onFault: (error: unknown) => void;

  /** @param onFault Told what could not be written; the session goes on without. */
  constructor(privateDirectory: string, onFault: (error: unknown) => void) {
    this.#directory = join(privateDirectory, "executions");
    this.#record = new SessionRecordFile(privateDirectory);
    this.#onFault = onFault;
  }

  /** Resolves when the record, or a later one, is on disk or could not be put there. */
  async save(record: SessionRecord): Promise<void> {
    await this.#record.save(record).catch(this.#onFault);
  }

  /** The journal of a new execution, or of one that is taken up. */
  execution(index: number): ExecutionJournal {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      this.#onFault(error);
    }
    return new ExecutionJournal(this.#directory, index, this.#onFault);
  }

  /** The session is over: no later server is to find it. */
  async remove(): Promise<void> {
    await this.#record.remove().catch(this.#onFault);
    await rm(this.#directory, { recursive: true, force: true }).catch(this.#onFault);
  }
}

/**
 * Reads what an earlier server wrote down of a session; undefined where it wrote nothing or the session had ended.
 * @throws Error where the record is damaged; it has been set aside.
 */
export async function readSession(
  privateDirectory: string,
  onFault: (file: string, error: unknown) => void,
): Promise<WrittenSession | undefined> {
  const record = await readSessionRecord(privateDirectory);
  if (record === undefined) return undefined;
  return { record, executions: await readExecutionJournals(join(privateDirectory, "executions"), onFault) };
}
