/** How the memory of one server process goes over the second half of a run. */
import { setTimeout as delay } from "node:timers/promises";
import type { ServerUnderFire } from "./server-under-fire.ts";

const EVERY_MS = 1_000;

/** Takes samples of the server's resident memory. */
export class MemoryWatch {
  readonly #server: ServerUnderFire;
  readonly #say: (line: string) => void;
  readonly #samples: number[] = [];

  constructor(server: ServerUnderFire, say: (line: string) => void) {
    this.#server = server;
    this.#say = say;
  }

  /** The median of the last quarter of the run against that of the quarter before: 0.01 is one per cent more. */
  get growth(): number {
    const middle = Math.floor(this.#samples.length / 2);
    return median(this.#samples.slice(middle)) / median(this.#samples.slice(0, middle)) - 1;
  }

  /** Until it is over; only what is seen in the second half counts. */
  async watch(isOver: () => boolean, counts: () => boolean): Promise<void> {
    for (let round = 0; !isOver(); round += 1) {
      await delay(EVERY_MS);
      const bytes = await this.#server.memoryBytes();
      if (bytes > 0 && counts()) this.#samples.push(bytes);
      if (round % 15 === 0) this.#say(`server memory: ${(bytes / 1024 ** 2).toFixed(1)} MiB`);
    }
  }
}

function median(values: number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}
