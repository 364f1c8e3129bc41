/** This gateway, started by its own command as a user would start it. */
import type { Bench, Closable } from "./bench.ts";
import type { Child } from "./child.ts";
import { pause } from "./sampling.ts";
import { SessionApi } from "./session-api.ts";
import { API_KEY, startTaskweaver } from "./taskweaver-process.ts";

const READY_MS = 180_000;
const LOOK_EVERY_MS = 50;

/** A running gateway and its HTTP calls. */
export class TaskweaverGateway implements Closable {
  readonly pid: number;
  readonly api: SessionApi;
  readonly #url: string;
  readonly #child: Child;

  /** Starts one with default settings; resolves when it has seen all executors, and their homes were told of all sessions. */
  static async start(bench: Bench, name: string, executors: readonly string[]): Promise<TaskweaverGateway> {
    const { child, url } = await startTaskweaver(bench, {
      command: "gateway",
      name,
      args: [`--executors=${executors.join(",")}`],
      environment: { TASKWEAVER_SERVER_EXECUTOR_KEY: API_KEY },
    });
    const gateway = new TaskweaverGateway(child, url);
    const deadline = Date.now() + READY_MS;
    while (!(await gateway.#isReady(executors.length))) {
      if (Date.now() > deadline) {
        await gateway.close();
        throw new Error("The gateway did not become ready in time.");
      }
      await pause(LOOK_EVERY_MS);
    }
    return gateway;
  }

  private constructor(child: Child, url: string) {
    this.pid = child.pid;
    this.#url = url;
    this.api = new SessionApi(url, API_KEY);
    this.#child = child;
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.#child.close();
  }

  async #isReady(count: number): Promise<boolean> {
    const answer = await fetch(`${this.#url}/api/v1/ready`);
    const { executors } = (await answer.json()) as { executors: number };
    return answer.status === 200 && executors === count;
  }
}
