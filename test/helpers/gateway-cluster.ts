/** Executors and gateways as processes of their own on loopback, for tests that end them one by one. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ExecutionClient } from "../../src/client/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "./python.ts";
import { freePort } from "./server-process.ts";

/** One of the processes. */
export interface ClusterProcess {
  readonly port: number;
  readonly url: string;
  readonly client: ExecutionClient;
  readonly process: ChildProcess;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Ends it at once, kernels and all; nothing where it has ended. */
  stop(): Promise<void>;
}

/** What clients of a gateway show, and what gateways show executors. */
export const CLIENT_KEY = "key-of-clients";
const EXECUTOR_KEY = "key-of-executors";

/** Executors, and gateways before them. */
export class GatewayCluster implements AsyncDisposable {
  readonly executors: ClusterProcess[] = [];
  readonly gateways: ClusterProcess[] = [];
  readonly #folder: string;
  readonly #processes = new Set<ClusterProcess>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Starts executors, then gateways, and waits until each gateway has seen each executor.
   * @param executorArgs Of each executor, e.g. its labels.
   */
  static async start(executorArgs: string[][], gateways: number): Promise<GatewayCluster> {
    const cluster = new GatewayCluster(await mkdtemp(join(tmpdir(), "tw-gateway-")));
    try {
      cluster.executors.push(...(await Promise.all(executorArgs.map((args) => cluster.startExecutor(args)))));
      cluster.gateways.push(...(await Promise.all(Array.from({ length: gateways }, () => cluster.startGateway()))));
      await cluster.settled(executorArgs.length);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** @param port Of one that was there before. */
  async startExecutor(args: string[], port?: number): Promise<ClusterProcess> {
    const free = port ?? (await freePort());
    const workDir = join(this.#folder, `executor-${free}`);
    const place = ["--port", String(free), "--host", "127.0.0.1", "--work-dir", workDir];
    // Where one is killed, its kernels do not outlive the tests for long.
    const common = ["server", ...place, "--python", testPython(), "--kernel-pool", "1", "--orphan-timeout", "60"];
    return this.#start(free, EXECUTOR_KEY, { TASKWEAVER_SERVER_API_KEY: EXECUTOR_KEY }, [...common, ...args]);
  }

  /** @param listed The executors that it is told of. */
  async startGateway(port?: number, listed = this.executors): Promise<ClusterProcess> {
    const free = port ?? (await freePort());
    const list = listed.map(({ url }) => url).join(",");
    const env = { TASKWEAVER_SERVER_API_KEY: CLIENT_KEY, TASKWEAVER_SERVER_EXECUTOR_KEY: EXECUTOR_KEY };
    return this.#start(free, CLIENT_KEY, env, [
      "gateway",
      "--port",
      String(free),
      "--host",
      "127.0.0.1",
      "--executors",
      list,
      "--require-key",
    ]);
  }

  /** Waits until every gateway sees so many executors. */
  async settled(count: number): Promise<void> {
    for (const { url } of this.gateways) {
      for (;;) {
        const { executors } = (await (await fetch(`${url}/api/v1/ready`)).json()) as { executors: number };
        if (executors === count) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** The executor that holds a session. */
  async executorOf(sessionId: string): Promise<ClusterProcess> {
    for (const executor of this.executors) {
      const sessions = await executor.client.listSessions().catch(() => []);
      if (sessions.some((session) => session.session_id === sessionId)) return executor;
    }
    throw new Error(`no executor holds ${sessionId}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#processes].map((each) => each.stop()));
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  async #start(port: number, key: string, env: Record<string, string>, args: string[]): Promise<ClusterProcess> {
    const child = spawn(process.execPath, [join(PACKAGE_ROOT, "dist/cli/main.js"), ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const words: string[] = [];
    const listening = new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          words.push(line);
          if (line.includes('"listening"')) resolve();
        });
      }
      child.once("exit", () => reject(new Error(`${args[0]} ended: ${words.slice(-5).join("\n")}`)));
    });
    const url = `http://127.0.0.1:${port}`;
    const started: ClusterProcess = {
      port,
      url,
      process: child,
      client: new ExecutionClient({ url, apiKey: key, timeoutMs: 60_000 }),
      end: async (signal) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, "exit");
        child.kill(signal);
        await exited;
      },
      stop: async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, "exit");
        child.kill("SIGCONT");
        child.kill("SIGTERM");
        // The first asks for the end, which may drain; the second wants it now.
        const again = setInterval(() => child.kill("SIGTERM"), 200);
        await exited;
        clearInterval(again);
      },
    };
    this.#processes.add(started);
    await listening;
    return started;
  }
}
