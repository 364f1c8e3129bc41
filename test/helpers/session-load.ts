/** Load for tests of updates: short sessions one after the other, in each a few executions that build on each other, all counted. */
import { vi } from "vitest";
import type { ExecutionClient } from "../../src/client/index.ts";

const STEPS = 3;
/** Most of its time it runs and takes no processor: an update is to meet running code, and to have the machine for itself. */
const CODE = "import time; time.sleep(0.25); steps = globals().get('steps', 0) + 1; steps";

/** Runs until it is stopped. */
export class SessionLoad {
  /** The session of each execution that ended well. */
  readonly done: string[] = [];
  /** What went wrong, with its session. */
  readonly failed: unknown[] = [];
  readonly #client: ExecutionClient;
  readonly #workers: Promise<void>[];
  #isOver = false;

  /** @param count Sessions at one time. */
  constructor(client: ExecutionClient, count: number) {
    this.#client = client;
    this.#workers = Array.from({ length: count }, (_, index) => this.#work(`load-${index}`));
  }

  /** Waits until so many more executions have ended well. */
  async goesOn(more = 5): Promise<void> {
    const count = this.done.length + more;
    await vi.waitUntil(() => this.done.length >= count, { timeout: 60_000 });
  }

  /** Lets the sessions end. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#workers);
  }

  async #work(name: string): Promise<void> {
    for (let round = 0; !this.#isOver; round += 1) {
      const id = `${name}-${round}`;
      try {
        const session = await this.#client.start(id);
        for (let step = 0; step < STEPS; step += 1) {
          const result = await session.executeCode(CODE);
          if (result.output !== step + 1) throw new Error(`${id} step ${step}: ${JSON.stringify(result)}`);
          this.done.push(id);
        }
        await session.stop();
      } catch (error) {
        this.failed.push([id, error]);
      }
    }
  }
}
