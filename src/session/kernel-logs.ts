/** Keeps the raw logs of kernel processes short: whatever writes past the protocol, a crash loop or a chatty library, must not fill the disk. */
import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import type { Logger } from "pino";

/** What the keeper is made with. */
export interface KernelLogsOptions {
  /** The log files there are now, or only those into which code that runs may write; those that are absent count as empty. */
  files: (which: "all" | "busy") => string[];
  /** A longer one is cut. */
  maxBytes: number;
  logger: Logger;
  /** How often is looked. @default 1 s */
  intervalMs?: number;
}

const INTERVAL_MS = 1_000;

/** Hundreds of sessions where nothing runs must not keep the processor from sleeping; what they have left running is seen a little later. */
const BUSY_LOOKS_FOR_ALL = 10;

/** What is kept of a log that is cut: its end, which is what tells how a kernel died. */
const KEPT_BYTES = 64 * 1024;

/** Looks at all logs now and then. */
export class KernelLogs {
  readonly #options: KernelLogsOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #lookCount = 0;

  constructor(options: KernelLogsOptions) {
    this.#options = options;
  }

  /** Begins to look. */
  start(): void {
    this.#timer = setInterval(() => void this.#lookByTurns(), this.#options.intervalMs ?? INTERVAL_MS);
    this.#timer.unref();
  }

  /** Looks at them once; never rejects. */
  look(which: "all" | "busy" = "all"): Promise<void> {
    this.#looking ??= this.#lookAt(which).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Ends the watch. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  #lookByTurns(): Promise<void> {
    this.#lookCount += 1;
    return this.look(this.#lookCount % BUSY_LOOKS_FOR_ALL === 0 ? "all" : "busy");
  }

  async #lookAt(which: "all" | "busy"): Promise<void> {
    const { files, maxBytes, logger } = this.#options;
    for (const file of files(which)) {
      try {
        if ((await lstat(file)).size > maxBytes) await cut(file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") logger.debug({ error, file }, "a kernel's log could not be looked at");
      }
    }
  }
}

/** Leaves a mark and the end. Who has the file open appends to it, so that it goes on from there. */
async function cut(file: string): Promise<void> {
  // Code of the session may have put a link to another file in its place: that one is not ours to cut.
  const handle = await open(file, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const { size, nlink } = await handle.stat();
    if (nlink !== 1) return;
    const kept = Math.min(KEPT_BYTES, Math.floor(size / 2));
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(kept), 0, kept, size - kept);
    const end = buffer.subarray(0, bytesRead);
    await handle.truncate(0);
    await handle.write(Buffer.concat([Buffer.from(`[cut here: ${size - bytesRead} bytes before this are gone]\n`), end]), 0, undefined, 0);
  } finally {
    await handle.close();
  }
}
