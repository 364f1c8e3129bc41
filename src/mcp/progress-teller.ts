/** Tells output as progress, as it is written: at once where the caller keeps up, gathered where it does not. */

import { cut } from "./shorten.ts";

/** Of one notification; what is between is in the result. */
const MOST_CHARACTERS = 4000;

/** A caller's patience is renewed by each word. */
const SILENCE_MS = 10_000;

/** One call's progress. */
export class ProgressTeller {
  readonly #tell: (message: string) => Promise<void>;
  readonly #begunAt = Date.now();
  #waiting = "";
  #isTelling = false;
  #silence: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param tell Sends one message; its failures are nobody's concern. */
  constructor(tell: (message: string) => Promise<void>) {
    this.#tell = tell;
    this.#renew();
  }

  add(output: string): void {
    if (this.#closed) return;
    this.#waiting += output;
    // Nobody reads it all, and the result holds it.
    if (this.#waiting.length > 2 * MOST_CHARACTERS)
      this.#waiting = `[...]\n${cut(this.#waiting, this.#waiting.length - MOST_CHARACTERS, this.#waiting.length)}`;
    if (!this.#isTelling) void this.#pump();
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#silence);
  }

  async #pump(): Promise<void> {
    this.#isTelling = true;
    while (this.#waiting !== "" && !this.#closed) {
      const message = cut(this.#waiting, 0, MOST_CHARACTERS);
      this.#waiting = this.#waiting.slice(message.length);
      await this.#tell(message).catch(() => this.close());
      this.#renew();
    }
    this.#isTelling = false;
  }

  #renew(): void {
    clearTimeout(this.#silence);
    if (this.#closed) return;
    this.#silence = setTimeout(() => this.add(`[still running after ${Math.round((Date.now() - this.#begunAt) / 1000)} s]\n`), SILENCE_MS);
    this.#silence.unref();
  }
}
