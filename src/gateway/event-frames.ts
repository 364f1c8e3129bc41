/** Cuts a stream of Server-Sent Events into whole frames: half a frame is worth nothing to a client once the connection breaks. */

/** A number of whole frames, as they came. */
export interface Frames {
  bytes: Buffer;
  /** The id of the last event among them; undefined where none has one. */
  lastId: number | undefined;
  /** Whether `done` is among them: nothing follows. */
  isDone: boolean;
  /** Whether `result` is among them. */
  hasResult: boolean;
}

const NEW_LINE = 0x0a;
const BLANK_LINE = Buffer.from("\n\n");

/** Takes bytes as they come, and gives back frames that are whole. */
export class EventFrames {
  #rest: Buffer[] = [];

  /** @returns undefined as long as no frame has ended. */
  push(chunk: Buffer): Frames | undefined {
    if (chunk.length === 0) return undefined;
    const end = this.#endOfFrames(chunk);
    if (end === -1) {
      this.#rest.push(chunk);
      return undefined;
    }
    const bytes = Buffer.concat([...this.#rest, chunk.subarray(0, end)]);
    this.#rest = end === chunk.length ? [] : [chunk.subarray(end)];
    return describe(bytes);
  }

  /** Where in the chunk the last whole frame ends. */
  #endOfFrames(chunk: Buffer): number {
    const at = chunk.lastIndexOf(BLANK_LINE);
    if (at !== -1) return at + BLANK_LINE.length;
    const before = this.#rest.at(-1);
    return before?.at(-1) === NEW_LINE && chunk[0] === NEW_LINE ? 1 : -1;
  }
}

/** Our executors write `id`, `event` and `data`, a line each, and no other line begins like those. */
function describe(bytes: Buffer): Frames {
  const idAt = lastLine(bytes, "id: ");
  const id = idAt === -1 ? Number.NaN : Number.parseInt(bytes.toString("latin1", idAt + 4, idAt + 24), 10);
  return {
    bytes,
    lastId: Number.isNaN(id) ? undefined : id,
    isDone: lastLine(bytes, "event: done\n") !== -1,
    hasResult: lastLine(bytes, "event: result\n") !== -1,
  };
}

function lastLine(bytes: Buffer, beginning: string): number {
  const at = bytes.lastIndexOf(`\n${beginning}`);
  if (at !== -1) return at + 1;
  return bytes.subarray(0, beginning.length).toString("latin1") === beginning ? 0 : -1;
}
