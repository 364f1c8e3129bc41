/** All that a session writes down: its record for a server to come, and a journal of its executions. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors.ts";
import type { ExecutionJournal } from "./journal-entry.ts";
import { JournalFile } from "./journal-file.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { scanJournal, type JournaledExecution } from "./journal-scan.ts";
import { hasDamagedRecord, readSessionRecord, SessionRecordFile, type SessionRecord } from "./session-record.ts";

/** A session as it was written down. */
export interface WrittenSession {
  record: SessionRecord;
  executions: JournaledExecution[];
}

/** What a journal is made with. */
export interface SessionJournalOptions {
  /** Nobody is to find the session again. */
  isTemporary: boolean;
  /** Goes on with what an earlier server wrote down. */
  written?: WrittenSession | undefined;
  /** Told what could not be written; the session goes on without. */
  onFault: (error: unknown) => void;
}

/** Writes for one session, below its private folder. */
export class SessionJournal {
  readonly #file: string;
  readonly #executions: JournalFile;
  readonly #record: SessionRecordFile | undefined;
  readonly #onFault: (error: unknown) => void;

  constructor(privateDirectory: string, { isTemporary, written, onFault }: SessionJournalOptions) {
    // Another server may have a session of the same name in the same place.
    this.#file = isTemporary
      ? join(privateDirectory, `executions-${randomBytes(4).toString("hex")}.jsonl`)
      : executionsFile(privateDirectory);
    const found = written?.executions.map(({ accepted, ranges, places }) => ({ index: accepted.index, ranges, places }));
    this.#executions = new JournalFile({ file: this.#file, isTemporary, ...(found === undefined ? {} : { found }), onFault });
    this.#record = isTemporary ? undefined : new SessionRecordFile(privateDirectory);
    this.#onFault = onFault;
  }

  /** Writes the record down. */
  save(record: SessionRecord): void {
    try {
      this.#record?.save(record);
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
    this.#executions.close(
      new AppError("shutting_down", "The server is shutting down; the next server has what is asked for.", { retryAfterSeconds: 1 }),
    );
  }

  /** The session is over: no later server is to find it. */
  async remove(): Promise<void> {
    this.#executions.close(new AppError("session_not_found", "The session was stopped."));
    await this.#executions.settled();
    await this.#record?.remove().catch(this.#onFault);
    await rm(this.#file, { force: true }).catch(this.#onFault);
  }
}

/**
 * Reads what an earlier server wrote down of a session, and removes what it had not written to its end; undefined where it wrote nothing or the session had ended.
 * @throws Error where the record is damaged; it has been set aside.
 */
export async function readSession(privateDirectory: string): Promise<WrittenSession | undefined> {
  await sweepLeftovers(privateDirectory);
  const record = await readSessionRecord(privateDirectory);
  if (record === undefined) {
    // What a server that was killed while it ended the session has left of it; beside a damaged record it may still be wanted.
    if (!(await hasDamagedRecord(privateDirectory))) await rm(executionsFile(privateDirectory), { force: true });
    return undefined;
  }
  return { record, executions: await scanJournal(executionsFile(privateDirectory)) };
}

function executionsFile(privateDirectory: string): string {
  return join(privateDirectory, "executions.jsonl");
}
