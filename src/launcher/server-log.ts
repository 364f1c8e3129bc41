/** The log file of a server that was started: what it says while it starts, and its last words. */
import { mkdir, open, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

const LARGEST_LOG_BYTES = 10 * 1024 * 1024;
const TAIL_BYTES = 16 * 1024;

/** Follows one server's part of a log file. */
export class ServerLog {
  readonly path: string;
  readonly #startBytes: number;
  #readBytes: number;

  /** @param startBytes Where this server's part begins. */
  constructor(path: string, startBytes: number) {
    this.path = path;
    this.#startBytes = startBytes;
    this.#readBytes = startBytes;
  }

  /** Opens the file for a server to write to; only the user can read it. */
  static async open(path: string): Promise<{ log: ServerLog; handle: FileHandle }> {
    await mkdir(dirname(path), { recursive: true });
    const sizeBytes = (await stat(path).catch(() => null))?.size ?? 0;
    const isFull = sizeBytes > LARGEST_LOG_BYTES;
    const handle = await open(path, isFull ? "w" : "a", 0o600);
    return { log: new ServerLog(path, isFull ? 0 : sizeBytes), handle };
  }

  /** Lines for people that came since the last call; log records are not for people. */
  async newLines(): Promise<string[]> {
    const text = await readFrom(this.path, this.#readBytes);
    const end = text.lastIndexOf("\n") + 1;
    this.#readBytes += Buffer.byteLength(text.slice(0, end));
    return plainLines(text.slice(0, end));
  }

  /** The last lines for people, or else the last records. */
  async lastWords(): Promise<string> {
    const sizeBytes = (await stat(this.path).catch(() => null))?.size ?? 0;
    const text = await readFrom(this.path, Math.max(this.#startBytes, sizeBytes - TAIL_BYTES));
    const plain = plainLines(text).slice(-8);
    return (plain.length > 0 ? plain : text.trimEnd().split("\n").slice(-5)).join("\n");
  }
}

function plainLines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("{"));
}

async function readFrom(path: string, positionBytes: number): Promise<string> {
  const handle = await open(path, "r").catch(() => null);
  if (handle === null) return "";
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.max(0, size - positionBytes));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, positionBytes);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}
