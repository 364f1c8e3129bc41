/** Starting and stopping kernel processes: the interfaces that sessions see (Jupyter's word is provisioner). */
import type { ConnectionInfo } from "../kernel/connection.ts";
import type { LastOutput } from "../kernel/last-output.ts";
import type { MemoryKills } from "./limits/limits.ts";

/** What a session asks of a provisioner. */
export interface KernelLaunchRequest {
  /** The kernelspec's name, e.g. `python3`. */
  kernelName: string;
  sessionId: string;
  /** Absolute path; exists. */
  cwd: string;
  /** The session's own variables, laid over the server's filtered environment. */
  env: Record<string, string>;
  /** Where the process' own words (its raw stdout and stderr before and beside the protocol) are kept. */
  logFile: string;
  /** Absolute path: where a walled kernel keeps its temporary files; made when needed, and needed where kernels are walled. */
  temporaryDirectory?: string;
  /** It waits for a session that it does not know yet. @default false */
  isPooled?: boolean;
}

/** How a kernel process ended: exactly one of the two is set, or neither where that cannot be known. */
export interface KernelExit {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
}

/** A started kernel process and how to reach it; the protocol side is `KernelClient`. */
export interface KernelProcess {
  readonly pid: number;
  readonly connection: ConnectionInfo;
  /** The language of the kernelspec, e.g. `python`. */
  readonly language: string;
  /** `"message"` kernels are interrupted by an `interrupt_request` instead of SIGINT. */
  readonly interruptMode: "signal" | "message";
  /** Forked from a prepared template: its sockets are bound, and it is like its siblings. */
  readonly isForked?: boolean;
  /** Resolves once, when the process has ended; never rejects. */
  readonly exited: Promise<KernelExit>;
  /** Sends a signal to the kernel's process group; false where it is gone. */
  signal(name: NodeJS.Signals): boolean;
  /** Processes of it and of what it started (where it has no limits of its own: of its neighbours, too) that were killed because memory ran out. */
  memoryKills(): MemoryKills | undefined;
  /** Whether it is held to limits of its own: then what is counted is its own, too. */
  readonly hasLimits?: boolean;
  /** The last words of the process, for an error message; at most `maxBytes`. */
  lastWords(maxBytes?: number): Promise<string>;
  /** Makes sure that what is written to its file descriptors from now on is not lost when it dies; before each request that runs code. */
  holdOutput?(): void;
  /** What it had written when it ended, as far as it is kept outside of it; awaits its end. Undefined where nothing is, and where it cannot be killed. Never rejects. */
  lastOutput?(): Promise<LastOutput | undefined>;
  /** Ends the process and what it started: SIGTERM, a grace period, SIGKILL; removes its sockets. Idempotent. */
  terminate(graceMs?: number): Promise<KernelExit>;
}

/** Starts kernels; one implementation per way to start. */
export interface KernelProvisioner {
  /**
   * Starts a kernel; resolves when the process runs (not yet when it answers).
   * @throws AppError `unknown_kernel` or `kernel_start_failed`.
   */
  launch(request: KernelLaunchRequest): Promise<KernelProcess>;
  /**
   * Kills the kernels that it launched and what it holds itself, without a wait: the server's process ends in this moment.
   * @param isSpared By the number of the process: kernels that are left for the next server.
   */
  kill(isSpared: (pid: number) => boolean): void;
  /** Ends what the provisioner itself holds (pools, templates); kernels it launched are their owners'. */
  close(): Promise<void>;
}
