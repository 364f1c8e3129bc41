/** The stock ipykernel under jupyter_client: orders to `stock_kernel.py`, which holds the clock. All answers are in ms. */
import { join } from "node:path";
import { ROOT, type Bench, type Closable } from "../bench.ts";
import { Child } from "../child.ts";

const TIMEOUT_MS = 180_000;

/** One process with jupyter_client, and the kernel that it keeps. */
export class StockKernel implements Closable {
  readonly #child: Child;

  /** Starts the process; with `isKept` its kernel too. */
  static async start(bench: Bench, isKept = true): Promise<StockKernel> {
    const child = await Child.start({
      command: bench.options.python,
      args: [join(ROOT, "bench/peers/stock_kernel.py")],
      environment: bench.environment,
      cwd: bench.folder,
    });
    const stock = new StockKernel(child);
    try {
      if (isKept) await stock.#order({ command: "start" });
      return stock;
    } catch (error) {
      await child.close();
      throw error;
    }
  }

  private constructor(child: Child) {
    this.#child = child;
  }

  /** From nothing to the end of the code's first execution, in a kernel of its own. */
  coldStart(code: string): Promise<number[]> {
    return this.#order({ command: "cold_start", code });
  }

  /** Runs code `count` times, each to its reply and idle status, all output read. */
  run(code: string, count: number): Promise<number[]> {
    return this.#order({ command: "run", code, count });
  }

  /** Runs code that prints the monotonic clock's nanoseconds, a number a line. */
  printLatencies(code: string): Promise<number[]> {
    return this.#order({ command: "print_latencies", code });
  }

  close(): Promise<void> {
    return this.#child.close();
  }

  async #order(order: Record<string, unknown>): Promise<number[]> {
    this.#child.write(JSON.stringify(order));
    const answer = JSON.parse(await this.#child.line(TIMEOUT_MS)) as { seconds: number[] };
    return answer.seconds.map((seconds) => seconds * 1000);
  }
}
