/** Which server takes back the sessions of a work directory: one at a time, in whatever container or on whatever machine it runs. */
import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createOwned, keepOwned, readOwned, takeAway } from "../../provision/owned-file.ts";
import { isSameProcess, startTimeOf } from "../../provision/process-identity.ts";

/** A claim on a work directory; undefined where another living server holds it. */
export interface WorkDirectoryClaim {
  /** Gives it up. */
  release(): Promise<void>;
}

/** How to claim. */
export interface ClaimOptions {
  /** Where numbers of processes mean the same. @default of this process */
  place?: string;
  /** How often the holder shows that it lives. @default 2 s */
  heartbeatMs?: number;
  /** A holder in another place is gone when it has shown nothing for so long. @default 6 s */
  silenceMs?: number;
}

interface Holder {
  pid: number;
  startedAt: string | null;
  place: string;
}

const HEARTBEAT_MS = 2_000;
const SILENCE_MS = 6_000;
const POLL_MS = 50;

/** Claims a work directory; the claim of a server that is gone counts for nothing. One that may run elsewhere is watched for some seconds. */
export async function claimWorkDirectory(workDirectory: string, options: ClaimOptions = {}): Promise<WorkDirectoryClaim | undefined> {
  const { place = placeOf(), heartbeatMs = HEARTBEAT_MS, silenceMs = SILENCE_MS } = options;
  const file = join(workDirectory, "server.json");
  const self: Holder = { pid: process.pid, startedAt: startTimeOf(process.pid), place };
  const mine = JSON.stringify({ ...self, id: randomUUID() });
  while (!(await createOwned(file, mine))) {
    const text = await readOwned(file);
    if (text === undefined) continue;
    if (await isHeld(file, text, self, silenceMs)) return undefined;
    await takeAway(file, text);
  }
  return keepOwned(file, mine, heartbeatMs);
}

/** Another container numbers its processes anew, another machine and another start of this one, too. */
function placeOf(): string {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

async function isHeld(file: string, text: string, self: Holder, silenceMs: number): Promise<boolean> {
  const holder = parse(text);
  if (holder?.place !== self.place) return showsLife(file, silenceMs);
  // A server that this process had before.
  if (holder.pid === self.pid && holder.startedAt === self.startedAt) return false;
  return isSameProcess(holder.pid, holder.startedAt);
}

/** By changes alone: clocks of two machines may differ. */
async function showsLife(file: string, silenceMs: number): Promise<boolean> {
  const before = await touchedAt(file);
  for (let waitedMs = 0; waitedMs < silenceMs; waitedMs += POLL_MS) {
    await delay(POLL_MS);
    const now = await touchedAt(file);
    if (now !== before) return now !== undefined;
  }
  return false;
}

function parse(text: string): Holder | undefined {
  try {
    const { pid, startedAt, place } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (typeof pid !== "number" || typeof place !== "string") return undefined;
    return { pid, startedAt: typeof startedAt === "string" ? startedAt : null, place };
  } catch {
    return undefined;
  }
}

async function touchedAt(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.mtimeMs;
}
