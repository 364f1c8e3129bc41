/** Reads the entries of one execution out of its session's journal, a piece of the file at a time. */
import type { EntryKind, EntryOf, EntryReader } from "./journal-entry.ts";
import { headOf, parseLine } from "./journal-line.ts";
import type { Ranges } from "./ranges.ts";

/** The file that is read. */
export interface ReadFile {
  enter(): void;
  leave(): void;
  read(position: number, length: number): Promise<Buffer>;
}

const PIECE_BYTES = 128 * 1024;
const LINE_END = 0x0a;

/** Follows the ranges of an execution, also while they grow; then what is kept beside the file. */
export class FileReader<K extends EntryKind> implements EntryReader<K> {
  readonly #file: ReadFile;
  readonly #ranges: Ranges;
  readonly #kinds: readonly EntryKind[];
  readonly #openRest: () => EntryReader<K> | undefined;
  #rest: EntryReader<K> | undefined;
  #position = 0;
  #isOpen = true;

  constructor(file: ReadFile, ranges: Ranges, kinds: readonly K[], openRest: () => EntryReader<K> | undefined) {
    this.#file = file;
    this.#ranges = ranges;
    this.#kinds = kinds;
    this.#openRest = openRest;
    file.enter();
  }

  async next(): Promise<EntryOf<K>[]> {
    for (let range = this.#next(); range !== undefined; range = this.#next()) {
      const bytes = await this.#wholeLines(range.start, range.end);
      this.#position = range.start + bytes.length;
      const entries = this.#wanted(bytes);
      if (entries.length > 0) return entries;
    }
    this.#rest ??= this.#openRest();
    return (await this.#rest?.next()) ?? [];
  }

  close(): void {
    if (this.#isOpen) this.#file.leave();
    this.#isOpen = false;
  }

  #next(): { start: number; end: number } | undefined {
    return this.#isOpen ? this.#ranges.from(this.#position) : undefined;
  }

  /** A piece that ends with a line; a line may be longer than a piece. */
  async #wholeLines(start: number, end: number): Promise<Buffer> {
    for (let length = PIECE_BYTES; ; length *= 4) {
      const wanted = Math.min(length, end - start);
      const bytes = await this.#file.read(start, wanted);
      const lines = bytes.subarray(0, bytes.lastIndexOf(LINE_END) + 1);
      if (lines.length > 0) return lines;
      if (bytes.length < wanted || wanted === end - start) throw new Error("The journal of the session has been cut short.");
    }
  }

  #wanted(bytes: Buffer): EntryOf<K>[] {
    const entries: EntryOf<K>[] = [];
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(LINE_END, start);
      const head = headOf(bytes, start, end);
      if (head !== undefined && head.kind !== "forgotten" && this.#kinds.includes(head.kind)) {
        const entry = parseLine(bytes, start, end);
        if (entry !== undefined) entries.push(entry as EntryOf<K>);
      }
      start = end + 1;
    }
    return entries;
  }
}
