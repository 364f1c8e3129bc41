/** A session as an earlier server wrote it down. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The record of a session that had no kernel. */
export const WRITTEN_RECORD = {
  version: 1,
  sessionId: "s1",
  kernelName: "python3",
  env: {},
  cwd: "/tmp",
  cwdRequested: null,
  idleTimeoutMs: null,
  createdAt: "2026-01-01T00:00:00.000Z",
  plugins: [],
  variables: { v: "1" },
  kernel: null,
  lossAt: null,
};

/** Writes the session s1 into a work directory, each file as it is given. */
export async function writeSession(workDirectory: string, record: string, journal: string): Promise<void> {
  const folder = join(workDirectory, "sessions/s1/ces");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "session.json"), record);
  await writeFile(join(folder, "executions.jsonl"), journal);
}

/** The text of a journal. */
export function journalOf(entries: object[]): string {
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}
