/** A provisioner of fake kernels: each launch is a {@link FakeKernel} with a process that ends when a test says so. */
import type { KernelTransport } from "../../src/kernel/transport.ts";
import type { MemoryKills } from "../../src/provision/limits/limits.ts";
import type { KernelExit, KernelLaunchRequest, KernelProcess, KernelProvisioner } from "../../src/provision/provisioner.ts";
import { createKernelStarter, type KernelStarter } from "../../src/session/live-kernel.ts";
import { FakeKernel, type FakeKernelOptions } from "./fake-kernel.ts";

/** One started kernel. */
export class FakeLaunch {
  readonly request: KernelLaunchRequest;
  readonly kernel: FakeKernel;
  readonly process: FakeProcess;

  constructor(request: KernelLaunchRequest, kernel: FakeKernel, pid: number) {
    this.request = request;
    this.kernel = kernel;
    this.process = new FakeProcess(kernel, pid);
  }
}

/** A process without one. */
export class FakeProcess implements KernelProcess {
  readonly pid: number;
  readonly connection;
  readonly language = "python";
  interruptMode: "signal" | "message" = "signal";
  readonly hasLimits = true;
  readonly exited: Promise<KernelExit>;
  /** What was sent to it, in order. */
  readonly signals: string[] = [];
  /** What it does with a signal; nothing by default. */
  onSignal: (name: NodeJS.Signals) => void = () => {};
  words = "";
  killsForMemory: MemoryKills | undefined;
  readonly #kernel: FakeKernel;
  #exit: KernelExit | undefined;
  #resolve: (exit: KernelExit) => void = () => {};

  constructor(kernel: FakeKernel, pid: number) {
    this.pid = pid;
    this.#kernel = kernel;
    this.connection = kernel.connection;
    this.exited = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get alive(): boolean {
    return this.#exit === undefined;
  }

  /** The process ends by itself. */
  die(exit: Partial<KernelExit> = { exitCode: 1 }): void {
    if (this.#exit !== undefined) return;
    this.#exit = { exitCode: null, signal: null, ...exit };
    this.#kernel.die();
    this.#resolve(this.#exit);
  }

  signal(name: NodeJS.Signals): boolean {
    this.signals.push(name);
    if (this.alive) this.onSignal(name);
    return this.alive;
  }

  memoryKills(): MemoryKills | undefined {
    return this.killsForMemory;
  }

  async lastWords(): Promise<string> {
    return this.words;
  }

  async terminate(graceMs = 2000): Promise<KernelExit> {
    const signal = graceMs === 0 ? "SIGKILL" : "SIGTERM";
    if (this.alive) this.signals.push(signal);
    this.die({ signal });
    return this.exited;
  }
}

/** Launches fake kernels and remembers them. */
export class FakeKernels implements KernelProvisioner {
  readonly launches: FakeLaunch[] = [];
  /** Programs each kernel before anybody talks to it; what it throws or rejects with fails the launch. */
  onLaunch: (launch: FakeLaunch) => void | Promise<void> = () => {};
  kernelOptions: FakeKernelOptions = {};
  closed = false;
  readonly #waiting: { count: number; resolve: (launch: FakeLaunch) => void }[] = [];
  readonly #transports = new Map<string, KernelTransport>();

  async launch(request: KernelLaunchRequest): Promise<KernelProcess> {
    const key = `key-${this.launches.length + 1}`;
    const kernel = new FakeKernel({ key, ...this.kernelOptions });
    this.#transports.set(key, kernel.transport);
    const launch = new FakeLaunch(request, kernel, 1000 + this.launches.length);
    this.launches.push(launch);
    for (const { count, resolve } of this.#waiting) if (count === this.launches.length) resolve(launch);
    await this.onLaunch(launch);
    return launch.process;
  }

  kill(isSpared: (pid: number) => boolean): void {
    for (const { process } of this.launches) if (!isSpared(process.pid)) process.signal("SIGKILL");
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** As the server's own, over these kernels. */
  starter(startTimeoutMs = 5000): KernelStarter {
    return createKernelStarter({
      provisioner: this,
      connect: (connection) => this.#transports.get(connection.key)!,
      startTimeoutMs,
    });
  }

  /** The `count`-th launch, from 1; waits for it where it has not come. */
  nth(count: number): Promise<FakeLaunch> {
    const launch = this.launches[count - 1];
    return launch === undefined ? new Promise((resolve) => this.#waiting.push({ count, resolve })) : Promise.resolve(launch);
  }

  /** The newest kernel. */
  get last(): FakeLaunch {
    return this.launches.at(-1)!;
  }

  /** How many processes live. */
  get alive(): number {
    return this.launches.filter((launch) => launch.process.alive).length;
  }
}
