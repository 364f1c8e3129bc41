/** A kernel that answers: its process, its client and what it says of itself. */
import { setTimeout as delay } from "node:timers/promises";
import { AppError, messageOf } from "../errors.ts";
import type { ConnectionInfo } from "../kernel/connection.ts";
import { KernelClient } from "../kernel/kernel-client.ts";
import { KernelGoneError } from "../kernel/kernel-errors.ts";
import type { LastOutput } from "../kernel/last-output.ts";
import type { KernelInfo } from "../kernel/readiness.ts";
import type { KernelTransport } from "../kernel/transport.ts";
import { describeBytes, type MemoryKills } from "../provision/limits/limits.ts";
import type { KernelExit, KernelLaunchRequest, KernelProcess, KernelProvisioner } from "../provision/provisioner.ts";

/** Of a kernel that does not keep what it wrote last it may still be on its way through the sockets; this long it is waited for. */
const LAST_OUTPUT_MS = 25;

/** A started and connected kernel. */
export interface LiveKernel {
  readonly process: KernelProcess;
  readonly client: KernelClient;
  readonly info: KernelInfo;
  /** Whether it speaks the runtime protocol: plugins, variables, parsed output. */
  readonly isOurs: boolean;
  /** How its process ended; undefined while it lives. */
  readonly exit: KernelExit | undefined;
}

/** What has become of a kernel that an earlier server left. */
export interface FoundKernel {
  /** Where it lives and answers. */
  kernel?: LiveKernel;
  /** Else what it had written, of which that server may have missed some. */
  lastOutput?: LastOutput | undefined;
}

/** Gives a session its kernel: started for it, or taken from a pool. Where the signal aborts, nothing of it stays. */
export type KernelStarter = (request: KernelLaunchRequest, signal?: AbortSignal) => Promise<LiveKernel>;

/** What starting takes. */
export interface KernelStarterOptions {
  provisioner: KernelProvisioner;
  connect: (connection: ConnectionInfo) => KernelTransport;
  startTimeoutMs: number;
  /** Where it is asked whether it answers: `control` for one that may be busy. @default "shell" */
  channel?: "shell" | "control";
  /** What it would answer, where that is known. */
  known?: KernelInfo;
}

/** Makes a starter that launches a process for each request and waits until it answers. */
export function createKernelStarter(options: KernelStarterOptions): KernelStarter {
  /** Forks of one template are alike: the first one's answer is every other's. */
  let forkInfo: KernelInfo | undefined;
  return async (request, signal) => {
    const process = await options.provisioner.launch(request).catch((error: unknown) => {
      throw startFailure(error, "", undefined);
    });
    try {
      const known = process.isForked === true ? forkInfo : undefined;
      const kernel = await connectKernel(process, { ...options, ...(known === undefined ? {} : { known }) }, signal);
      if (process.isForked === true) forkInfo = kernel.info;
      return kernel;
    } catch (error) {
      const lastWords = await process.lastWords();
      await process.terminate(0);
      throw startFailure(error, lastWords, process.memoryKills());
    }
  };
}

/** Connects to a started kernel and waits until it answers. @param signal Ends the wait with its reason; ending the process is the caller's. */
export async function connectKernel(
  process: KernelProcess,
  options: Omit<KernelStarterOptions, "provisioner">,
  signal?: AbortSignal,
): Promise<LiveKernel> {
  const client = new KernelClient(options.connect(process.connection), { key: process.connection.key });
  const died = new AbortController();
  const unwanted = signal === undefined ? died.signal : AbortSignal.any([died.signal, signal]);
  let ended: KernelExit | undefined;
  void process.exited.then(async (exit) => {
    ended = exit;
    died.abort(new Error(`it ended while starting: ${describeExit(exit)}`));
    const last = await process.lastOutput?.();
    if (last === undefined) await delay(LAST_OUTPUT_MS);
    else await client.takeLast(last);
    client.fail(new KernelGoneError(describeExit(exit)));
  });
  try {
    await client.open();
    const info = await client.waitUntilReady(options.startTimeoutMs, unwanted, options.channel, options.known);
    process.holdOutput?.();
    return {
      process,
      client,
      info,
      isOurs: info.taskweaverProtocol !== undefined,
      get exit() {
        return ended;
      },
    };
  } catch (error) {
    client.close();
    throw unwanted.aborted ? unwanted.reason : error;
  }
}

/** How a process ended, in words: `exit code 3`, `signal SIGSEGV`. */
export function describeExit(exit: KernelExit): string {
  if (exit.signal !== null) return `signal ${exit.signal}`;
  if (exit.exitCode !== null) return `exit code ${exit.exitCode}`;
  return "its end was not seen, so its exit code is not known";
}

function startFailure(error: unknown, lastWords: string, kills: MemoryKills | undefined): AppError {
  if (error instanceof AppError) return error;
  // The count begins with the kernel where it has a limit of its own.
  if (kills !== undefined && kills.limitBytes !== null && kills.count > 0) {
    const message = `The kernel could not be started: it needs more memory than the session may have (${describeBytes(kills.limitBytes)}, session_memory).`;
    return new AppError("kernel_start_failed", message, { cause: error });
  }
  const words = lastWords.trim() === "" ? "" : ` Its last words: ${lastWords.trim().slice(-500)}`;
  return new AppError("kernel_start_failed", `The kernel could not be started: ${messageOf(error).replace(/\.$/, "")}.${words}`, {
    cause: error,
  });
}
