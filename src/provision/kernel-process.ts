/** One kernel process that is ours to end, however it was started: its group, its log, its sockets. */
import type { ConnectionInfo } from "../kernel/connection.ts";
import type { LastOutput } from "../kernel/last-output.ts";
import { removeConnectionFiles } from "./connection-file.ts";
import { readLastOutput } from "./last-output.ts";
import type { KernelSpec } from "./kernelspecs.ts";
import type { LimitGroup, MemoryKills } from "./limits/limits.ts";
import { readLogTail, type KernelLog } from "./log-tail.ts";
import { OutputPipes } from "./output-pipes.ts";
import type { KernelExit, KernelProcess } from "./provisioner.ts";
import { signalGroup, terminateGroup } from "./termination.ts";

/** What is known of a started process. */
export interface OwnedKernelProcessOptions {
  /** Leads a process group of its own. */
  pid: number;
  /** Resolves when the process has ended; never rejects. */
  exited: Promise<KernelExit>;
  spec: Pick<KernelSpec, "language" | "interruptMode">;
  connection: ConnectionInfo;
  /** Null where the kernel was told its connection without a file. */
  connectionFile: string | null;
  log: Pick<KernelLog, "file" | "startBytes">;
  /** @default false */
  isForked?: boolean;
  /** Its limits, which end with it. */
  group?: LimitGroup | undefined;
  /** Who was killed for memory, where it has no limits that count that. */
  countMemoryKills?: (() => MemoryKills | undefined) | undefined;
}

const DEFAULT_GRACE_MS = 2_000;
const DEFAULT_LAST_WORDS_BYTES = 4_096;

/** A kernel process with its group. */
export class OwnedKernelProcess implements KernelProcess {
  readonly pid: number;
  readonly connection: ConnectionInfo;
  readonly language: string;
  readonly interruptMode: "signal" | "message";
  readonly exited: Promise<KernelExit>;
  readonly isForked: boolean;
  readonly hasLimits: boolean;
  readonly #options: OwnedKernelProcessOptions;
  #hasExited = false;
  /** As they were when the process ended: its group is removed then. */
  #lastMemoryKills: MemoryKills | undefined;
  #terminated: Promise<KernelExit> | undefined;
  readonly #pipes: OutputPipes;
  readonly #unkillable = withResolver();
  /** Read before its files are removed. */
  readonly #lastOutput: Promise<LastOutput | undefined>;

  constructor(options: OwnedKernelProcessOptions) {
    this.pid = options.pid;
    this.connection = options.connection;
    this.language = options.spec.language;
    this.interruptMode = options.spec.interruptMode;
    this.isForked = options.isForked ?? false;
    this.hasLimits = options.group !== undefined;
    this.#options = options;
    this.exited = options.exited;
    // However it ended, what it started ends too.
    this.#pipes = new OutputPipes(options.connection);
    const whenEnded = this.exited.then(() => readLastOutput(this.connection, this.#pipes.read()));
    this.#lastOutput = Promise.race([whenEnded, this.#unkillable.promise]).catch(() => undefined);
    void this.#lastOutput.then(() => this.#pipes.close());
    void this.exited.then(() => {
      this.#lastMemoryKills = this.memoryKills();
      this.#hasExited = true;
      return this.terminate(0);
    });
  }

  signal(name: NodeJS.Signals): boolean {
    return !this.#hasExited && signalGroup(this.pid, name);
  }

  memoryKills(): MemoryKills | undefined {
    if (this.#hasExited) return this.#lastMemoryKills;
    return this.#options.group?.memoryKills() ?? this.#options.countMemoryKills?.();
  }

  lastWords(maxBytes = DEFAULT_LAST_WORDS_BYTES): Promise<string> {
    return readLogTail(this.#options.log, maxBytes);
  }

  holdOutput(): void {
    if (!this.#hasExited) this.#pipes.hold();
  }

  lastOutput(): Promise<LastOutput | undefined> {
    return this.#lastOutput;
  }

  terminate(graceMs = DEFAULT_GRACE_MS): Promise<KernelExit> {
    this.#terminated ??= this.#terminate(graceMs);
    return this.#terminated;
  }

  async #terminate(graceMs: number): Promise<KernelExit> {
    await terminateGroup({ pid: this.pid, exited: this.exited, graceMs });
    await this.#options.group?.release();
    if (!this.#hasExited) this.#unkillable.resolve();
    await this.#lastOutput;
    await removeConnectionFiles(this.#options.connectionFile, this.connection).catch(() => undefined);
    return this.#hasExited ? this.exited : { exitCode: null, signal: null };
  }
}

function withResolver(): { promise: Promise<undefined>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<undefined>((settle) => (resolve = () => settle(undefined)));
  return { promise, resolve };
}
