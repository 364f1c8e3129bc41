/** The template process that forks kernels: started once, asked over JSON lines, replaced when it dies. See docs/kernel-runtime.md. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { messageOf } from "../errors.ts";
import type { ConnectionInfo } from "../kernel/connection.ts";
import { PYTHON_ROOT } from "../paths.ts";
import { watchExit } from "./adopted-process.ts";
import { readForkMessage } from "./fork-message.ts";
import type { LimitEntry } from "./limits/limits.ts";
import { openKernelLog, readLogTail, type KernelLog } from "./log-tail.ts";
import type { KernelExit } from "./provisioner.ts";
import { writeForkFile, type WallPlan } from "./sandbox/kernel-place.ts";
import { descendantsOf, killNow, stopNow } from "./at-once.ts";
import { signalGroup } from "./termination.ts";

/** What a template is started with. */
export interface ForkServerOptions {
  interpreter: string;
  /** The whole environment of the template; each kernel gets one of its own. */
  environment: Record<string, string>;
  /** Modules to import before the fork, beyond those that every kernel has. */
  preload: string[];
  /** Takes what the template itself writes. */
  logFile: string;
  /** How long importing and warming may take. */
  startTimeoutMs: number;
  /** Told of the process before it is prepared. */
  onSpawn?: (server: ForkServer) => void;
}

/** A kernel to be forked. */
export interface ForkRequest {
  id: string;
  connection: ConnectionInfo;
  cwd: string;
  environment: Record<string, string>;
  logFile: string;
  /** What it enters first of all. */
  limits?: LimitEntry | undefined;
  /** The wall that goes up around it. */
  wall?: { plan: WallPlan; runtimeDirectory: string } | undefined;
}

/** A forked kernel. */
export interface ForkedKernel {
  readonly pid: number;
  /** Its sockets are bound. Rejects where it ended before. */
  readonly ready: Promise<void>;
  readonly exited: Promise<KernelExit>;
}

interface Waiting {
  forked: (kernel: ForkedKernel) => void;
  failed: (error: Error) => void;
}

/** One template process. It serves forks until it is closed or dies; its kernels outlive it. */
export class ForkServer {
  /** Resolves when the template has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly pid: number;
  readonly #channel: Duplex;
  readonly #waiting = new Map<string, Waiting>();
  readonly #children = new Map<number, Child>();
  /** Children whose sockets are not bound yet, by the id of their request. */
  readonly #binding = new Map<string, Child>();
  /** A child tells by itself that it is ready, and may be quicker than the template's word that it is there. */
  readonly #earlyReady = new Set<string>();
  #forkCount = 0;
  #alive = true;
  #hasForked = false;
  #isWanted = true;

  private constructor(child: ChildProcess, channel: Duplex) {
    this.pid = child.pid ?? 0;
    this.#channel = channel;
    this.ended = once(child, "exit").then(() => this.#end());
    channel.on("error", () => undefined);
  }

  /** Starts a template; resolves when it can fork. @throws Error with the template's last words. */
  static async start(options: ForkServerOptions): Promise<ForkServer> {
    const log = await openKernelLog(options.logFile);
    try {
      const args = [join(PYTHON_ROOT, "taskweaver_fork_server.py"), ...options.preload.flatMap((module) => ["--preload", module])];
      const child = spawn(options.interpreter, args, {
        cwd: "/",
        env: options.environment,
        stdio: ["ignore", log.handle.fd, log.handle.fd, "pipe"],
        detached: true,
      });
      await once(child, "spawn");
      const channel = child.stdio[3] as Duplex;
      const server = new ForkServer(child, channel);
      options.onSpawn?.(server);
      await server.#prepare(channel, options.startTimeoutMs, log);
      return server;
    } finally {
      await log.handle.close();
    }
  }

  /** Whether it can be asked for a fork. */
  get alive(): boolean {
    return this.#alive;
  }

  /** How many kernels it has forked. */
  get forkCount(): number {
    return this.#forkCount;
  }

  /** Whether a kernel of it has come to be there. */
  get hasForked(): boolean {
    return this.#hasForked;
  }

  /** Whether nobody has told it to end. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Forks a kernel; resolves when its process is there. */
  async fork(request: ForkRequest): Promise<ForkedKernel> {
    const { id, connection, cwd, environment, logFile, limits, wall } = request;
    const content = { connection, cwd, env: environment, log_file: logFile };
    const message = wall === undefined ? content : await walledMessage({ ...content, sandbox: wall.plan }, wall);
    if (!this.#alive) throw new Error("the fork server has ended");
    this.#forkCount += 1;
    return new Promise((forked, failed) => {
      this.#waiting.set(id, { forked, failed });
      this.#channel.write(`${JSON.stringify({ fork: id, limits, ...message })}\n`);
    });
  }

  /** Ends the template, not its kernels. Idempotent. */
  close(): void {
    this.#isWanted = false;
    this.#channel.end();
  }

  /**
   * Kills the template and the kernels of it, without a wait: the server's process ends in this moment. Those that it has just forked, and of which
   * nobody has been told yet, are found among its children.
   * @param isSpared Kernels that are left for the next server.
   */
  kill(isSpared: (pid: number) => boolean): void {
    if (!this.#alive) return;
    // Stopped first, so that it forks no more while its children are looked for.
    stopNow(this.pid);
    for (const pid of new Set([...this.#children.keys(), ...descendantsOf(this.pid)])) if (!isSpared(pid)) killNow(pid);
    killNow(this.pid);
  }

  async #prepare(channel: Duplex, timeoutMs: number, log: KernelLog): Promise<void> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const prepared = new Promise<void>((resolve) => {
      const lines = createInterface({ input: channel });
      lines.on("line", (line) => this.#receive(line, resolve));
      // A template that is killed resets the connection; its end is told by the process.
      lines.on("error", () => undefined);
    });
    const cut = new Promise<never>((_resolve, reject) => {
      timeout.addEventListener("abort", () => reject(new Error(`it was not ready within ${timeoutMs / 1000} s`)));
      void this.ended.then(() => reject(new Error("it ended")));
    });
    try {
      await Promise.race([prepared, cut]);
    } catch (error) {
      signalGroup(this.pid, "SIGKILL");
      throw new Error(`The fork server could not be started: ${messageOf(error)}. ${await readLogTail(log, 1000)}`, { cause: error });
    }
  }

  #receive(line: string, onPrepared: () => void): void {
    const message = readForkMessage(line);
    if (message === undefined) return;
    switch (message.kind) {
      case "prepared":
        return onPrepared();
      case "forked":
        return this.#forked(message.id, message.pid);
      case "ready":
        return this.#bound(message.id);
      case "fork_failed":
        this.#waiting.get(message.id)?.failed(new Error(message.error));
        this.#waiting.delete(message.id);
        return;
      case "exited":
        return this.#exited(message.pid, message.exit);
    }
  }

  #forked(id: string, pid: number): void {
    const child = new Child(pid);
    this.#hasForked = true;
    this.#children.set(pid, child);
    this.#binding.set(id, child);
    if (this.#earlyReady.has(id)) this.#bound(id);
    void child.exited.then(() => this.#binding.delete(id));
    this.#waiting.get(id)?.forked(child);
    this.#waiting.delete(id);
  }

  #bound(id: string): void {
    const child = this.#binding.get(id);
    if (child === undefined) return void this.#earlyReady.add(id);
    this.#binding.delete(id);
    this.#earlyReady.delete(id);
    child.setReady();
  }

  #exited(pid: number, exit: KernelExit): void {
    this.#children.get(pid)?.setExited(exit);
    this.#children.delete(pid);
  }

  #end(): void {
    this.#alive = false;
    for (const waiting of this.#waiting.values()) waiting.failed(new Error("the fork server has ended"));
    this.#waiting.clear();
    // Kernels whose template died are nobody's children that we know: only whether they live can be seen.
    for (const pid of this.#children.keys()) void watchExit(pid).then((exit) => this.#exited(pid, exit));
  }
}

/** A template that saw it would leave it in the memory of all kernels to come. */
async function walledMessage(content: object, { plan, runtimeDirectory }: NonNullable<ForkRequest["wall"]>): Promise<object> {
  return { file: await writeForkFile(runtimeDirectory, content), forks_again: plan.level === "namespaces" };
}

/** A forked kernel as the server follows it. */
class Child implements ForkedKernel {
  readonly pid: number;
  readonly ready: Promise<void>;
  readonly exited: Promise<KernelExit>;
  setReady: () => void = () => undefined;
  setExited: (exit: KernelExit) => void = () => undefined;

  constructor(pid: number) {
    this.pid = pid;
    this.exited = new Promise((resolve) => {
      this.setExited = resolve;
    });
    this.ready = new Promise((resolve, reject) => {
      this.setReady = resolve;
      void this.exited.then(() => reject(new Error("the kernel ended before it was ready")));
    });
    this.ready.catch(() => undefined);
  }
}
