/** How much disk a folder's files take, as the disk has it: blocks, not lengths. */
import type { Stats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

/** So many files are asked about at one time. */
const BATCH = 64;

/**
 * The bytes below folders, those of their own included; what lies on another file system, or is reached by symbolic links only, does not count.
 * @param signal Ends the walk early, with what was counted until then.
 */
export async function diskUsage(folders: string[], signal?: AbortSignal): Promise<number> {
  /** Files with several names, and folders that lie within each other, count once. */
  const seen = new Set<string>();
  let bytes = 0;
  const count = (found: Stats): boolean => {
    if (found.nlink > 1 || found.isDirectory()) {
      const id = `${found.dev}:${found.ino}`;
      if (seen.has(id)) return false;
      seen.add(id);
    }
    bytes += found.blocks * 512;
    return true;
  };
  for (const top of folders) {
    const found = await lstat(top).catch(() => undefined);
    if (found === undefined || !count(found)) continue;
    const waiting = [top];
    for (let folder = waiting.pop(); folder !== undefined && signal?.aborted !== true; folder = waiting.pop()) {
      for await (const names of batches(folder)) {
        const paths = names.map((name) => join(String(folder), name));
        // A file may vanish meanwhile: the code is at work.
        const all = await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)));
        for (const [index, one] of all.entries()) {
          const path = paths[index];
          if (one === undefined || path === undefined || one.dev !== found.dev || !count(one)) continue;
          if (one.isDirectory()) waiting.push(path);
        }
      }
    }
  }
  return bytes;
}

/** The names in a folder, some at a time: it may hold millions. */
async function* batches(folder: string): AsyncGenerator<string[]> {
  let names: string[] = [];
  try {
    for await (const entry of await opendir(folder, { bufferSize: BATCH })) {
      names.push(entry.name);
      if (names.length < BATCH) continue;
      yield names;
      names = [];
    }
  } catch {
    // It vanished, or may not be read.
  }
  if (names.length > 0) yield names;
}
