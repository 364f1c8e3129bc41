/** Writes a journal anew without what counts no more, while it is being appended to. */
import { closeSync, openSync, read, readSync, rmSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { VERSION_LINE } from "./journal-line.ts";
import { Ranges, type Range } from "./ranges.ts";

/** The file as it is now, and as it grows meanwhile. */
export interface GrowingFile {
  descriptor: number;
  sizeBytes: () => number;
  /** All that counts now. */
  kept: () => KeptLines[];
  /** Whether a new file may take its place in this moment. */
  mayReplace: () => boolean;
}

/** Where the lines of one execution are. */
export interface KeptLines {
  readonly ranges: Ranges;
  /** Single lines among them that may yet be taken out. */
  readonly places: Map<number, Range>;
}

/** A piece of the file and where it begins in the new one. */
interface Moved extends Range {
  to: number;
}

const PIECE_BYTES = 1024 * 1024;
const readAt = promisify(read);

/**
 * Copies what counts into a file beside, then puts that in the place of the old one and sets the places right. A server that is killed at any
 * moment leaves the old file or the new one.
 * @param put Puts the file beside in its place.
 * @returns the descriptor of the new file; undefined where it may not take the place now.
 */
export async function compact(beside: string, growing: GrowingFile, put: () => void): Promise<number | undefined> {
  rmSync(beside, { force: true });
  const target = openSync(beside, "ax+", 0o600);
  try {
    const copy = new Copy(growing.descriptor, target);
    let copiedTo = growing.sizeBytes();
    const pieces = growing.kept().flatMap(({ ranges }) => ranges.all);
    for (const { start, end } of pieces.toSorted((one, other) => one.start - other.start)) {
      await copy.take(start, Math.min(end, copiedTo));
    }
    // What has come since: in rounds, until the last is so short that it may hold the process up.
    while (growing.sizeBytes() - copiedTo > PIECE_BYTES) {
      const end = growing.sizeBytes();
      await copy.take(copiedTo, end);
      copiedTo = end;
    }
    if (!growing.mayReplace()) return discard(beside, target);
    copy.takeNow(copiedTo, growing.sizeBytes());
    put();
    for (const kept of growing.kept()) copy.setRight(kept);
    return target;
  } catch (error) {
    discard(beside, target);
    throw error;
  }
}

/** Copies pieces one behind the other and remembers where each went. */
class Copy {
  readonly #source: number;
  readonly #target: number;
  readonly #moved: Moved[] = [];
  #size = 0;

  constructor(source: number, target: number) {
    this.#source = source;
    this.#target = target;
    this.#write(Buffer.from(VERSION_LINE));
  }

  async take(start: number, end: number): Promise<void> {
    this.#note(start, end);
    for (let at = start; at < end;) {
      const length = Math.min(PIECE_BYTES, end - at);
      const { bytesRead, buffer } = await readAt(this.#source, Buffer.allocUnsafe(length), 0, length, at);
      at += this.#write(buffer.subarray(0, bytesRead));
    }
  }

  takeNow(start: number, end: number): void {
    if (start === end) return;
    this.#note(start, end);
    const buffer = Buffer.allocUnsafe(end - start);
    for (let at = start; at < end;) at += this.#write(buffer.subarray(0, readSync(this.#source, buffer, 0, end - at, at)));
  }

  setRight({ ranges, places }: KeptLines): void {
    const moved = new Ranges();
    for (const { start, end } of ranges.all) {
      for (let at = start; at < end;) {
        const piece = this.#pieceAt(at);
        const until = Math.min(end, piece.end);
        moved.add(piece.to + at - piece.start, piece.to + until - piece.start);
        at = until;
      }
    }
    ranges.replaceBy(moved);
    for (const [id, { start, end }] of places) {
      const { start: from, to } = this.#pieceAt(start);
      places.set(id, { start: to + start - from, end: to + end - from });
    }
  }

  #pieceAt(position: number): Moved {
    let low = 0;
    for (let high = this.#moved.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((this.#moved[middle]?.end ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    const piece = this.#moved[low];
    if (piece === undefined || piece.start > position) throw new Error("a piece of the journal was not copied");
    return piece;
  }

  #note(start: number, end: number): void {
    const last = this.#moved.at(-1);
    if (last !== undefined && last.end === start) last.end = end;
    else this.#moved.push({ start, end, to: this.#size });
  }

  #write(bytes: Buffer): number {
    if (bytes.length === 0) throw new Error("the journal has been cut short");
    for (let written = 0; written < bytes.length;) written += writeSync(this.#target, bytes, written);
    this.#size += bytes.length;
    return bytes.length;
  }
}

function discard(file: string, descriptor: number): undefined {
  closeSync(descriptor);
  rmSync(file, { force: true });
}
