/** Kernels that an earlier server started: found again by number and start time, watched by looking now and then. */
import type { ConnectionInfo } from "../kernel/connection.ts";
import type { LastOutput } from "../kernel/last-output.ts";
import { removeConnectionFiles } from "./connection-file.ts";
import type { LimitHolder } from "./limits/limits.ts";
import { memoryKillCounter } from "./limits/memory-kills.ts";
import { OwnedKernelProcess } from "./kernel-process.ts";
import { readLastOutput } from "./last-output.ts";
import { OutputPipes } from "./output-pipes.ts";
import { isAlive, isSameProcess } from "./process-identity.ts";
import type { KernelExit, KernelProcess } from "./provisioner.ts";

/** A kernel as it was written down. */
export interface AdoptionRequest {
  pid: number;
  startedAt: string | null;
  connection: ConnectionInfo;
  language: string;
  interruptMode: "signal" | "message";
  logFile: string;
}

const POLL_MS = 50;
const watched = new Map<number, (exit: KernelExit) => void>();
let timer: NodeJS.Timeout | undefined;

/** Takes a living kernel over, with its limits; undefined where its process is gone. Its exit code is its parent's to know, so it stays unknown. */
export async function adoptKernel(request: AdoptionRequest, limits?: LimitHolder): Promise<KernelProcess | undefined> {
  if (!isSameProcess(request.pid, request.startedAt)) return undefined;
  const { pid, connection, language, interruptMode, logFile } = request;
  const log = { file: logFile, startBytes: 0 };
  const known = { pid, exited: watchExit(pid), spec: { language, interruptMode }, connection, connectionFile: null, log };
  const group = await limits?.adopt(pid);
  return new OwnedKernelProcess({ ...known, group, countMemoryKills: await memoryKillCounter(pid) });
}

/** Reads what a kernel has left that died while no server was there, and removes it: it could not clean up behind itself. */
export async function takeLastOutput(connection: ConnectionInfo): Promise<LastOutput | undefined> {
  // What the kernel had started may hold its pipes open.
  const pipes = new OutputPipes(connection);
  pipes.hold();
  try {
    return await readLastOutput(connection, pipes.read());
  } finally {
    pipes.close();
    await removeConnectionFiles(null, connection);
  }
}

/** Resolves when a process that is no child of ours has ended; one timer watches all of them. */
export function watchExit(pid: number): Promise<KernelExit> {
  return new Promise((resolve) => {
    watched.set(pid, resolve);
    timer ??= setInterval(look, POLL_MS).unref();
  });
}

function look(): void {
  for (const [pid, resolve] of watched) {
    if (isAlive(pid)) continue;
    watched.delete(pid);
    resolve({ exitCode: null, signal: null });
  }
  if (watched.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
