/** What a session is made with, and what it is asked to run. */
import type { Logger } from "pino";
import type { ExecutionRequest } from "./execution.ts";
import type { SessionJournal } from "./journal/session-journal.ts";
import type { KernelLaunchRequest } from "../provision/provisioner.ts";
import type { KernelStarter, LiveKernel } from "./live-kernel.ts";
import type { ResultMemory } from "./result-memory.ts";
import type { SessionObserver } from "./session-observer.ts";
import type { OutputLimits } from "./output-stream.ts";
import { kernelLogOf, temporaryDirectoryOf, type Workspace } from "./workspace.ts";

/** What a session is made with. */
export interface SessionOptions {
  id: string;
  kernelName: string;
  env: Record<string, string>;
  workspace: Workspace;
  /** Now by default. */
  createdAt?: Date;
  /** Null: never. */
  idleTimeoutMs: number | null;
  limits: OutputLimits & { maxQueue: number; executionTimeoutMs: number | null };
  streamRetentionMs: number;
  interruptGraceMs: number;
  envId: string;
  startKernel: KernelStarter;
  /** Throws where the server may not hold one more running kernel. */
  admitKernel: () => void;
  /** Where what happens is written down; by default it is in memory only. */
  journal?: SessionJournal;
  /** Of the server: the latest results of all its sessions. */
  resultMemory?: ResultMemory;
  observer?: SessionObserver;
  logger: Logger;
}

/** An execution that an earlier server sent to a kernel that still lives. */
export interface ResumedExecution {
  kernel: LiveKernel;
  messageId: string;
}

/** What the session's kernel is started with. */
export function launchRequestOf({ id, kernelName, env, workspace }: SessionOptions): KernelLaunchRequest {
  return {
    kernelName,
    sessionId: id,
    cwd: workspace.cwd,
    env,
    logFile: kernelLogOf(workspace),
    temporaryDirectory: temporaryDirectoryOf(workspace),
  };
}

/** What a client may leave out of an execution. */
export type NewExecution = Omit<ExecutionRequest, "timeoutMs"> & { timeoutMs: number | null | undefined };
