/** Holds the pipes of a kernel's file descriptors 1 and 2 open, so that what is in them when it dies is not lost with its own end of them. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { ConnectionInfo } from "../kernel/connection.ts";
import type { UnreadOutput } from "./last-output.ts";

/** The ends of the pipes' names; the address of the kernel comes before. */
export const OUTPUT_PIPES = ["stdout", "stderr"] as const;

/** More is in no pipe, unless code has made it larger. */
const MOST_BYTES = 1024 * 1024;
const READ_BYTES = 65_536;

/** The pipes of one kernel; those of a request that has started children belong to them, and the next request has others by the same names. */
export class OutputPipes {
  readonly #address: string | undefined;
  #descriptors: number[] = [];
  #node: number | undefined;

  constructor({ transport, ip }: ConnectionInfo) {
    this.#address = transport === "ipc" ? ip : undefined;
  }

  /** Opens the pipes that there are now, and lets earlier ones go; to be called before each request that runs code. */
  hold(): void {
    if (this.#address === undefined) return;
    const node = statSync(`${this.#address}-${OUTPUT_PIPES[0]}`, { throwIfNoEntry: false })?.ino;
    if (node === undefined || node === this.#node) return;
    this.close();
    this.#node = node;
    this.#descriptors = OUTPUT_PIPES.map((name) => openPipe(`${this.#address}-${name}`));
  }

  /** What nobody has read. To be called when the kernel has ended: before, it would be taken away from it. */
  read(): UnreadOutput {
    const [stdout = -1, stderr = -1] = this.#descriptors;
    return { stdout: readAll(stdout), stderr: readAll(stderr) };
  }

  /** Lets them go. Idempotent. */
  close(): void {
    for (const descriptor of this.#descriptors.splice(0)) if (descriptor >= 0) closeSync(descriptor);
  }
}

/** -1 where it is no pipe: the code of the session could have put something else in its place. */
function openPipe(path: string): number {
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    if (fstatSync(descriptor).isFIFO()) return descriptor;
    closeSync(descriptor);
  } catch {
    // It is not there.
  }
  return -1;
}

function readAll(descriptor: number): Buffer {
  const parts: Buffer[] = [];
  try {
    for (let size = 0; descriptor >= 0 && size < MOST_BYTES;) {
      const part = Buffer.alloc(READ_BYTES);
      const count = readSync(descriptor, part);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
      size += count;
    }
  } catch {
    // A child of the kernel still has it open, and nothing more is in it.
  }
  return Buffer.concat(parts);
}
