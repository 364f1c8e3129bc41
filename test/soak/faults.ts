/** What goes wrong on purpose while the load runs: kernels, the fork server and the server end at moments that the seed chooses. */
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "./random.ts";
import type { ServerUnderFire } from "./server-under-fire.ts";

/** What may be done to a run. */
export interface FaultOptions {
  server: ServerUnderFire;
  random: Random;
  /** The sessions there are now. */
  sessions: () => string[];
  /** False while the server itself is left alone, so that its memory can be watched. */
  mayEndServer: () => boolean;
  isOver: () => boolean;
  /** How many executions have ended until now. */
  endedCount: () => number;
  /** How often each thing was done. */
  done: Record<string, number>;
}

/** Where nothing ends between one fault and the next, a busy machine does nothing but start again what was killed. */
const ENDED_BETWEEN = 4;
const PATIENCE_MS = 30_000;

const FAULTS = ["kernel", "kernel", "kernel", "crash", "any process", "fork server", "server", "server and kernel", "upgrade"] as const;
const SERVER_FAULTS = new Set<string>(["server", "server and kernel", "upgrade"]);

/** Does one thing after the other until it is over. The server is up again when it returns. */
export async function causeFaults(options: FaultOptions): Promise<void> {
  const { server, random, mayEndServer, isOver, done } = options;
  while (!isOver()) {
    await delay(random.between(100, 900));
    await someEnded(options, ENDED_BETWEEN);
    const fault = random.pick(FAULTS);
    if (SERVER_FAULTS.has(fault) && !mayEndServer()) continue;
    if (await FAULT[fault](options)) done[fault] = (done[fault] ?? 0) + 1;
  }
  await server.up();
}

async function someEnded({ endedCount, isOver }: FaultOptions, count: number): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  const before = endedCount();
  while (!isOver() && Date.now() < until && endedCount() < before + count) await delay(20);
}

const FAULT: Record<(typeof FAULTS)[number], (options: FaultOptions) => Promise<boolean>> = {
  kernel: (options) => killKernel(options, "SIGKILL"),
  crash: (options) => killKernel(options, "SIGSEGV"),
  "any process": async ({ server, random }) => {
    const others = (await server.processes()).filter(({ pid }) => pid !== server.pid);
    return others.length > 0 && server.kill(random.pick(others).pid, "SIGKILL");
  },
  "fork server": async ({ server }) => {
    // Forked kernels have its command line, too, and are its children.
    const template = (await server.processes()).find(({ parent, command }) => parent === server.pid && command.includes("fork_server"));
    return template !== undefined && server.kill(template.pid, "SIGKILL");
  },
  server: async ({ server, random }) => {
    await server.end("SIGKILL");
    await delay(random.between(0, 500));
    await server.start("--keep-sessions");
    return true;
  },
  "server and kernel": async (options) => {
    const { server } = options;
    await server.end("SIGKILL");
    await killKernel(options, "SIGKILL");
    await server.start("--keep-sessions");
    return true;
  },
  upgrade: async ({ server }) => {
    const code = await server.end("SIGTERM");
    if (code !== 0) throw new Error(`a server that was told to end exited with ${code}: ${(await server.lastWords()).join("\n")}`);
    await server.start("--keep-sessions");
    return true;
  },
};

async function killKernel({ server, random, sessions }: FaultOptions, signal: NodeJS.Signals): Promise<boolean> {
  const ids = sessions();
  const pid = ids.length === 0 ? undefined : await server.kernelOf(random.pick(ids));
  return pid !== undefined && server.kill(pid, signal);
}
