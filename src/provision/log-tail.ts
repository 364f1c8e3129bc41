/** The log of a kernel process: opened for its raw output, and read back for its last words. */
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** A log file opened for appending. */
export interface KernelLog {
  file: string;
  handle: FileHandle;
  /** Where this process' output begins; what earlier ones wrote stands before. */
  startBytes: number;
}

/** Opens the log, readable by the user only, and the folder it lies in. The caller closes the handle. */
export async function openKernelLog(file: string): Promise<KernelLog> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, "a", 0o600);
  return { file, handle, startBytes: (await handle.stat()).size };
}

/** The last bytes that were written since `startBytes`, from the beginning of a line where there is one; empty where nothing can be read. */
export async function readLogTail({ file, startBytes }: Pick<KernelLog, "file" | "startBytes">, maxBytes: number): Promise<string> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return "";
  try {
    const { size } = await handle.stat();
    // A log that grew too long was cut, and is shorter now than when the process began.
    const begin = size < startBytes ? 0 : startBytes;
    const from = Math.max(begin, size - maxBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.max(0, size - from)), 0, undefined, from);
    const text = buffer.toString("utf8", 0, bytesRead);
    const isCut = from > begin;
    return (isCut ? text.slice(text.indexOf("\n") + 1) : text).trim();
  } catch {
    return "";
  } finally {
    await handle.close();
  }
}
