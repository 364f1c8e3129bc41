/** What a restarted server needs to know of a session: `{work_dir}/sessions/{session_id}/ces/session.json`. */
import { access, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Type, type TSchema } from "typebox";
import Value from "typebox/value";
import type { ConnectionInfo } from "../../kernel/connection.ts";
import type { PluginSource } from "../plugin-set.ts";
import { writeAtomically } from "./atomic-file.ts";

/** The kernel of a session as another process finds it again. */
export interface KernelRecord {
  pid: number;
  /** Tells the process from a later one with the same number; null where the platform does not say. */
  startedAt: string | null;
  connection: ConnectionInfo;
  language: string;
  interruptMode: "signal" | "message";
  logFile: string;
  /** False while its plugins are still being loaded: such a kernel is of no use to another server. */
  isPrepared: boolean;
}

/** One session. */
export interface SessionRecord {
  version: 1;
  sessionId: string;
  kernelName: string;
  env: Record<string, string>;
  cwd: string;
  cwdRequested: string | null;
  idleTimeoutMs: number | null;
  createdAt: string;
  plugins: PluginSource[];
  variables: Record<string, string>;
  /** Null while no kernel runs. */
  kernel: KernelRecord | null;
  /** When variables were lost, where no execution has told so yet. */
  lossAt: string | null;
}

const FILE_NAME = "session.json";

/** Keeps the record of one session up to date on disk. */
export class SessionRecordFile {
  readonly #file: string;
  #removed = false;

  constructor(privateDirectory: string) {
    this.#file = join(privateDirectory, FILE_NAME);
  }

  /** Puts this state in the place of the last one. */
  save(record: SessionRecord): void {
    if (!this.#removed) writeAtomically(this.#file, JSON.stringify(record));
  }

  /** The session is over; nothing is written any more. */
  async remove(): Promise<void> {
    this.#removed = true;
    await rm(this.#file, { force: true });
  }
}

/**
 * Reads the record of a session.
 * @returns undefined where there is none. A damaged one is set aside as `session.json.damaged` and thrown as an error: it costs one session, never the start.
 */
export async function readSessionRecord(privateDirectory: string): Promise<SessionRecord | undefined> {
  const file = join(privateDirectory, FILE_NAME);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const record: unknown = JSON.parse(text);
    if (!isSessionRecord(record)) throw new Error("it is not a record of this version");
    return record;
  } catch (error) {
    await rename(file, damagedFile(privateDirectory)).catch(() => undefined);
    throw new Error(`${file} is damaged and was set aside`, { cause: error });
  }
}

/** Whether a damaged record was set aside here. */
export function hasDamagedRecord(privateDirectory: string): Promise<boolean> {
  return access(damagedFile(privateDirectory)).then(
    () => true,
    () => false,
  );
}

function damagedFile(privateDirectory: string): string {
  return join(privateDirectory, `${FILE_NAME}.damaged`);
}

function isSessionRecord(value: unknown): value is SessionRecord {
  return Value.Check(RECORD, value);
}

const Text = Type.Record(Type.String(), Type.String());
const OrNull = (schema: TSchema): TSchema => Type.Union([schema, Type.Null()]);

/** What is needed to go on; more may be there. */
const RECORD = Type.Object({
  version: Type.Literal(1),
  sessionId: Type.String(),
  kernelName: Type.String(),
  env: Text,
  cwd: Type.String(),
  cwdRequested: OrNull(Type.String()),
  idleTimeoutMs: OrNull(Type.Number()),
  createdAt: Type.String(),
  plugins: Type.Array(Type.Object({ name: Type.String(), code: Type.String() })),
  variables: Text,
  kernel: OrNull(
    Type.Object({
      pid: Type.Integer({ minimum: 2 }),
      startedAt: OrNull(Type.String()),
      connection: Type.Object({ ip: Type.String(), key: Type.String(), transport: Type.String() }),
      logFile: Type.String(),
    }),
  ),
});
