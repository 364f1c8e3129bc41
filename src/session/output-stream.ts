/** One output stream of an execution, stdout or stderr: exact text up to a limit, a visible mark, and a file that holds all of it. */
import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Truncation } from "../api/index.ts";
import type { StoredArtifact } from "./result.ts";

/** What one stream may take. */
export interface OutputLimits {
  /** Bytes (UTF-8) that results and streams carry. */
  maxOutputBytes: number;
  /** Bytes that the file with all of it may have. */
  maxSpilledBytes: number;
  /** Characters of displays' content that results and events carry; absent: no limit. */
  maxDisplayBytes?: number;
}

const SPILL_BATCH_LENGTH = 1024 * 1024;

/** Collects the chunks of one stream; past the limit they go to a file below `cwd`. */
export class OutputStream {
  readonly #type: "stdout" | "stderr";
  readonly #executionId: string;
  readonly #cwd: string;
  readonly #limits: OutputLimits;
  #bytesWritten = 0;
  #bytesKept = 0;
  #spill: { descriptor: number; fileName: string; bytes: number } | undefined;
  #cut = false;
  #held: string[] = [];
  #isHeld = true;

  constructor(type: "stdout" | "stderr", executionId: string, cwd: string, limits: OutputLimits) {
    this.#type = type;
    this.#executionId = executionId;
    this.#cwd = cwd;
    this.#limits = limits;
  }

  /** What the result carries, as long as it is held in memory: joined, the exact text up to the limit and then the mark. */
  get chunks(): string[] {
    return this.#held;
  }

  /** Lets go of what it holds in memory; what comes is not held either. */
  release(): void {
    this.#isHeld = false;
    this.#held = [];
  }

  /** Whether this text is the first past the limit and the file has to begin with text that is no longer held. */
  needsEarlierText(text: string): boolean {
    return (
      !this.#isHeld && !this.#cut && this.#spill === undefined && this.#bytesKept + Buffer.byteLength(text) > this.#limits.maxOutputBytes
    );
  }

  /** Begins the file with all text so far. */
  async spillEarlierText(texts: AsyncIterable<string>): Promise<void> {
    this.#openSpill();
    if (this.#spill !== undefined) for await (const text of texts) this.#spillText(text);
  }

  /** Takes what was written; returns the text that readers get, `""` where the limit is passed. */
  write(text: string): string {
    const bytes = Buffer.byteLength(text);
    this.#bytesWritten += bytes;
    if (this.#cut) {
      this.#spillText(text);
      return "";
    }
    if (this.#bytesKept + bytes <= this.#limits.maxOutputBytes) {
      this.#bytesKept += bytes;
      this.#hold(text);
      return text;
    }
    return this.#cutAt(text);
  }

  /** What the result says of the cut; undefined where nothing was. */
  get truncation(): Truncation["stdout"] {
    if (!this.#cut) return undefined;
    return { bytes_written: this.#bytesWritten, bytes_kept: this.#bytesKept, artifact: this.#spill?.fileName ?? null };
  }

  /** The artifact that holds all of it, where the limit was passed. */
  get artifact(): StoredArtifact | undefined {
    if (this.#spill === undefined) return undefined;
    return {
      name: `${this.#executionId}-${this.#type}`,
      type: "txt",
      mime_type: "text/plain",
      original_name: this.#spill.fileName,
      file_name: this.#spill.fileName,
      preview: this.#previewOf(this.#spill.bytes),
    };
  }

  /** Takes up a chunk that was kept before. */
  restore(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#hold(text);
    this.#bytesWritten += bytes;
    this.#bytesKept += bytes;
  }

  /** Takes up a cut that was made before; what comes goes on into its file. */
  restoreCut(cut: NonNullable<Truncation["stdout"]>): void {
    this.#cut = true;
    this.#bytesWritten = cut.bytes_written;
    this.#bytesKept = cut.bytes_kept;
    if (cut.artifact === null) return;
    this.close();
    try {
      const descriptor = openSync(join(this.#cwd, cut.artifact), constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
      this.#spill = { descriptor, fileName: cut.artifact, bytes: fstatSync(descriptor).size };
    } catch {
      this.#spill = { descriptor: -1, fileName: cut.artifact, bytes: cut.bytes_written };
    }
  }

  /** Closes the file; later writes are only counted. */
  close(): void {
    if (this.#spill !== undefined && this.#spill.descriptor >= 0) closeSync(this.#spill.descriptor);
    if (this.#spill !== undefined) this.#spill.descriptor = -1;
  }

  #cutAt(text: string): string {
    this.#cut = true;
    const room = this.#limits.maxOutputBytes - this.#bytesKept;
    // The decoder in streaming mode holds an incomplete character at the end back.
    const kept = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(text).subarray(0, room), { stream: true });
    if (this.#isHeld) {
      this.#openSpill();
      this.#spillKept();
    }
    this.#spillText(text);
    this.#bytesKept += Buffer.byteLength(kept);
    const where = this.#spill === undefined ? "" : `; all of it is in ${this.#spill.fileName}`;
    const shown = `${kept}\n[${this.#type} is cut here, after ${this.#bytesKept} bytes${where}]\n`;
    this.#hold(shown);
    return shown;
  }

  #hold(text: string): void {
    if (this.#isHeld) this.#held.push(text);
  }

  #openSpill(): void {
    for (let attempt = 1; attempt <= 1000; attempt += 1) {
      const fileName = `${this.#executionId}-${this.#type}${attempt === 1 ? "" : `-${attempt}`}.txt`;
      try {
        this.#spill = { descriptor: openSync(join(this.#cwd, fileName), "wx"), fileName, bytes: 0 };
        return;
      } catch (error) {
        // No file, no artifact: the cut is told all the same.
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") return;
      }
    }
  }

  /** What was kept so far, in few writes: it may be a hundred thousand chunks. */
  #spillKept(): void {
    let batch: string[] = [];
    let length = 0;
    for (const chunk of this.#held) {
      batch.push(chunk);
      length += chunk.length;
      if (length < SPILL_BATCH_LENGTH) continue;
      this.#spillText(batch.join(""));
      batch = [];
      length = 0;
    }
    this.#spillText(batch.join(""));
  }

  /** Written at once and in order; a chunk is small and goes to the page cache. */
  #spillText(text: string): void {
    const spill = this.#spill;
    if (spill === undefined || spill.descriptor < 0) return;
    const bytes = Buffer.from(text).subarray(0, this.#limits.maxSpilledBytes - spill.bytes);
    try {
      for (let written = 0; written < bytes.length;) {
        const count = writeSync(spill.descriptor, bytes, written);
        written += count;
        spill.bytes += count;
      }
    } catch {
      // A full disk: what is there is there, and the preview says how much that is.
      this.close();
    }
  }

  #previewOf(spilledBytes: number): string {
    const which = spilledBytes === this.#bytesWritten ? "all" : `the first ${spilledBytes} of`;
    return `${which} ${this.#bytesWritten} bytes of ${this.#type}`;
  }
}
