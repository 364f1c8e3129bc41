/** What a server that was killed in the middle of writing has left beside a session's records. */
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** A record, or a journal that was being written anew, of the server that has the work directory to itself: of the next one now. */
const OURS = /^(?:session\.json\.[0-9a-f]{8}\.tmp|executions\.jsonl\.new)$/;

/** Files that a server without a claim on the work directory takes their names from as soon as they are there. */
const NAMELESS_SOON = /^executions-[0-9a-f]{8}\.jsonl(?:\.new)?$/;

/** Such a server may live, and be writing a journal anew. */
const WRITING_MS = 600_000;

/** Removes it. Only the server that has the claim may call this. */
export async function sweepLeftovers(privateDirectory: string): Promise<void> {
  const names = await readdir(privateDirectory).catch(() => []);
  for (const name of names) {
    const file = join(privateDirectory, name);
    if (OURS.test(name) || (NAMELESS_SOON.test(name) && (await isOld(file)))) await rm(file, { force: true }).catch(() => undefined);
  }
}

function isOld(file: string): Promise<boolean> {
  return lstat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > WRITING_MS,
    () => false,
  );
}
