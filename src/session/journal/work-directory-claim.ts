/** Which server takes back the sessions of a work directory: one at a time. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isSameProcess, startTimeOf } from "../../provision/process-identity.ts";
import { writeAtomically } from "./atomic-file.ts";

/** A claim on a work directory; undefined where another living server holds it. */
export interface WorkDirectoryClaim {
  /** Gives it up. */
  release(): Promise<void>;
}

/** Claims a work directory; the claim of a server that is gone counts for nothing. */
export async function claimWorkDirectory(workDirectory: string): Promise<WorkDirectoryClaim | undefined> {
  const file = join(workDirectory, "server.json");
  const holder = await readHolder(file);
  if (holder !== undefined && holder.pid !== process.pid && isSameProcess(holder.pid, holder.startedAt)) return undefined;
  writeAtomically(file, JSON.stringify({ pid: process.pid, startedAt: startTimeOf(process.pid) }));
  return { release: () => rm(file, { force: true }) };
}

async function readHolder(file: string): Promise<{ pid: number; startedAt: string | null } | undefined> {
  try {
    const { pid, startedAt } = JSON.parse(await readFile(file, "utf8")) as { pid?: unknown; startedAt?: unknown };
    return typeof pid === "number" ? { pid, startedAt: typeof startedAt === "string" ? startedAt : null } : undefined;
  } catch {
    return undefined;
  }
}
