/**
 * Tells whether messages of a kernel have been lost on their way: a stock kernel drops what is not taken fast enough, and says nothing of it. The ids of
 * ipykernel's messages, and of kernels that are built on it, end in a number that counts all that it sends, on whatever channel.
 */
import type { Message } from "./messages.ts";

const NUMBERED = /^(.+)_(\d+)$/;

/** A moment in the count. */
export interface CountedTo {
  last: number;
  received: number;
}

/** Counts the messages of one kernel. */
export class MessageNumbers {
  #series: string | undefined;
  #last = 0;
  #received = 0;

  /** A message has been received. Children of the kernel have series of their own, which are not counted. */
  note({ header: { msg_id: id, session } }: Message): void {
    const [, series, number] = id.startsWith(`${session}_`) ? (NUMBERED.exec(id) ?? []) : [];
    if (series === undefined) return;
    this.#series ??= series;
    if (series !== this.#series) return;
    this.#received += 1;
    this.#last = Math.max(this.#last, Number(number));
  }

  /** Where the count is; undefined where the messages have no numbers. */
  get state(): CountedTo | undefined {
    return this.#series === undefined ? undefined : { last: this.#last, received: this.#received };
  }

  /** How many messages that were sent since then have not been received. */
  lostSince(begin: CountedTo): number {
    return Math.max(0, this.#last - begin.last - (this.#received - begin.received));
  }
}
