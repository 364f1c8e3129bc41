/** The journal of a session's executions: one file that lines are appended to as things happen, and that results and streams are read from. */
import { closeSync, fstatSync, ftruncateSync, openSync, read, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { AppError } from "../../errors.ts";
import { compact, type KeptLines } from "./compaction.ts";
import { FileReader } from "./file-reader.ts";
import type { EntryKind, EntryOf, EntryReader, ExecutionJournal, JournalEntry } from "./journal-entry.ts";
import { lineOf, VERSION_LINE } from "./journal-line.ts";
import { MemoryJournal } from "./memory-journal.ts";
import { Ranges, type Range } from "./ranges.ts";

/** What a journal is made with. */
export interface JournalFileOptions {
  file: string;
  /** Nobody is to find it again: it is gone with this process, whatever becomes of that. */
  isTemporary?: boolean;
  /** Goes on with what there is, where its executions were found, instead of beginning anew. */
  found?: (KeptLines & { index: number })[];
  onFault: (error: unknown) => void;
  /** Less garbage than this is left alone. @default 8 MiB */
  compactFromBytes?: number;
}

const COMPACT_FROM_BYTES = 8 * 1024 * 1024;
const LINE_END = 0x0a;
const readAt = promisify(read);

/**
 * The one journal of a session. Lines are written at once, in order, to the page cache: they survive the server, not the machine.
 * Where the disk fails the file ends there, and what comes is kept in memory.
 */
export class JournalFile {
  readonly #options: JournalFileOptions;
  readonly #journals = new Map<number, FileJournal>();
  #descriptor = -1;
  #sizeBytes = 0;
  /** Set when it is neither written nor, once its last reader has left, read any more: what is told to who comes then. */
  #ended: AppError | undefined;
  #failed = false;
  /** Those that read now, for whom the file must stay as it is, and those that may yet read. */
  #readers = 0;
  #holders = 0;
  #garbageBytes = 0;
  #compacting: Promise<void> | undefined;

  constructor(options: JournalFileOptions) {
    this.#options = options;
    for (const { index, ...lines } of options.found ?? []) this.#journals.set(index, new FileJournal(this, index, lines));
  }

  /** The journal of one execution in this file. */
  of(index: number): ExecutionJournal {
    const known = this.#journals.get(index) ?? new FileJournal(this, index, { ranges: new Ranges(), places: new Map() });
    this.#journals.set(index, known);
    return known;
  }

  /** Resolves when the file is as small as it is going to be for now. */
  async settled(): Promise<void> {
    while (this.#compacting !== undefined) await this.#compacting;
  }

  /** Appends a line; undefined where the disk fails. */
  append(line: string): Range | undefined {
    if (this.#ended !== undefined || this.#failed) return undefined;
    try {
      if (this.#descriptor < 0) this.#open();
      const bytes = Buffer.from(line);
      for (let written = 0; written < bytes.length;) written += writeSync(this.#descriptor, bytes, written);
      const start = this.#sizeBytes;
      this.#sizeBytes += bytes.length;
      return { start, end: this.#sizeBytes };
    } catch (error) {
      this.#failed = true;
      // Half a line must not run into what a server to come appends.
      this.#cutBack();
      this.#options.onFault(error);
      return undefined;
    }
  }

  /** Bytes of the file that count no more; where they make most of it, it is written anew without them. */
  noteGarbage(bytes: number): void {
    this.#garbageBytes += bytes;
    const { compactFromBytes = COMPACT_FROM_BYTES } = this.#options;
    const isWorthIt = this.#garbageBytes >= compactFromBytes && this.#garbageBytes * 2 > this.#sizeBytes;
    if (!isWorthIt || this.#ended !== undefined || this.#failed || this.#readers > 0) return;
    this.#compacting ??= this.#compact().finally(() => {
      this.#compacting = undefined;
      if (this.#ended !== undefined) this.#closeDescriptor();
      else this.noteGarbage(0);
    });
  }

  /** Nothing of the execution is kept any more. */
  forget(index: number): void {
    this.#journals.delete(index);
    this.append(lineOf(index, { kind: "forgotten" }));
  }

  /** A reader comes; the file stays as it is until that has left. */
  enter(): void {
    this.#readers += 1;
    this.#beReadable();
  }

  leave(): void {
    this.#readers -= 1;
    if (this.#ended !== undefined) this.#closeDescriptor();
    else this.noteGarbage(0);
  }

  /** The file is not closed before this is let go. */
  hold(): () => void {
    this.#holders += 1;
    this.#beReadable();
    let isHeld = true;
    return () => {
      if (isHeld) this.#holders -= 1;
      isHeld = false;
      if (this.#ended !== undefined) this.#closeDescriptor();
    };
  }

  /** Bytes of the file from a position on; fewer where it ends. @throws Error of the system, or what it was closed with. */
  async read(position: number, length: number): Promise<Buffer> {
    if (this.#descriptor < 0) throw this.#ended ?? new Error("The journal of the session cannot be read.");
    const { bytesRead, buffer } = await readAt(this.#descriptor, Buffer.allocUnsafe(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  /** No more is written; idempotent. @param why Who begins to read after that is told so. */
  close(why: AppError): void {
    this.#ended ??= why;
    this.#closeDescriptor();
  }

  #open(): void {
    const { file, isTemporary, found } = this.#options;
    if (found === undefined) rmSync(file, { force: true });
    this.#descriptor = openSync(file, "a+", 0o600);
    if (isTemporary === true) rmSync(file, { force: true });
    this.#sizeBytes = fstatSync(this.#descriptor).size;
    if (this.#sizeBytes === 0) this.append(VERSION_LINE);
    // A server that was killed in the middle of a line leaves its beginning; the next line must not continue it.
    else if (!endsLine(this.#descriptor, this.#sizeBytes)) this.append("\n");
  }

  /** What an earlier server wrote is opened when it is first needed. */
  #beReadable(): void {
    if (this.#descriptor >= 0 || this.#ended !== undefined || this.#options.found === undefined) return;
    try {
      this.#open();
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  #cutBack(): void {
    try {
      if (this.#descriptor >= 0) ftruncateSync(this.#descriptor, this.#sizeBytes);
    } catch {
      // The reader of a later server skips half a line as damaged.
    }
  }

  /** Where nobody will read any more. */
  #closeDescriptor(): void {
    if (this.#readers > 0 || this.#holders > 0 || this.#compacting !== undefined || this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  async #compact(): Promise<void> {
    const { file, isTemporary, onFault } = this.#options;
    const beside = `${file}.new`;
    const growing = {
      descriptor: this.#descriptor,
      sizeBytes: () => this.#sizeBytes,
      kept: () => [...this.#journals.values()],
      // What is being read is read at its place.
      mayReplace: () => this.#ended === undefined && !this.#failed && this.#readers === 0,
    };
    try {
      const descriptor = await compact(beside, growing, () => (isTemporary === true ? rmSync(beside) : renameSync(beside, file)));
      if (descriptor === undefined) return;
      closeSync(this.#descriptor);
      this.#descriptor = descriptor;
      this.#sizeBytes = fstatSync(descriptor).size;
      // Some has come while the file was being written.
      this.#garbageBytes = this.#sizeBytes - [...this.#journals.values()].reduce((sum, { ranges }) => sum + ranges.size, 0);
    } catch (error) {
      // It is tried again when there is as much garbage once more.
      this.#garbageBytes = 0;
      onFault(error);
    }
  }
}

function endsLine(descriptor: number, sizeBytes: number): boolean {
  const last = Buffer.alloc(1);
  return readSync(descriptor, last, 0, 1, sizeBytes - 1) === 1 && last[0] === LINE_END;
}

/** The lines of one execution. */
class FileJournal implements ExecutionJournal, KeptLines {
  readonly ranges: Ranges;
  readonly places: Map<number, Range>;
  readonly #file: JournalFile;
  readonly #index: number;
  /** What the file did not take. */
  #rest: MemoryJournal | undefined;

  constructor(file: JournalFile, index: number, { ranges, places }: KeptLines) {
    this.#file = file;
    this.#index = index;
    this.ranges = ranges;
    this.places = places;
  }

  append(entry: JournalEntry): void {
    const line = this.#rest === undefined ? this.#file.append(lineOf(this.#index, entry)) : undefined;
    if (line === undefined) {
      this.#rest ??= new MemoryJournal();
      this.#rest.append(entry);
    } else this.ranges.add(line.start, line.end);
    if (entry.kind === "artifact") this.#notePlace(entry, line);
  }

  read<K extends EntryKind>(...kinds: K[]): EntryReader<K> {
    return new FileReader(this.#file, this.ranges, kinds, () => this.#rest?.read(...kinds));
  }

  hold(): () => void {
    return this.#file.hold();
  }

  seal(): void {
    this.places.clear();
  }

  forget(): void {
    this.#file.forget(this.#index);
    this.#file.noteGarbage(this.ranges.size);
    this.#rest?.forget();
  }

  #notePlace({ id, replaces }: EntryOf<"artifact">, line: Range | undefined): void {
    const replaced = this.places.get(replaces);
    if (line !== undefined) this.places.set(id, line);
    if (replaced === undefined) return;
    this.places.delete(replaces);
    this.ranges.remove(replaced.start, replaced.end);
    this.#file.noteGarbage(replaced.end - replaced.start);
  }
}
