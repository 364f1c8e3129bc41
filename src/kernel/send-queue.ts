/** One message after another onto a socket that takes only one send at a time. */

/** The part of a ZeroMQ socket that carries frames; it rejects a second send while the first is under way. */
export interface FrameSocket {
  send(frames: (Uint8Array | string)[]): Promise<void>;
  receive(): Promise<Uint8Array[]>;
  close(): void;
}

interface QueuedMessage {
  frames: (Uint8Array | string)[];
  resolve: () => void;
  reject: (reason: unknown) => void;
}

/** Keeps the order of calls; a failed send does not stop those after it. */
export class SendQueue {
  readonly #socket: Pick<FrameSocket, "send">;
  readonly #queued: QueuedMessage[] = [];
  #barrier: Promise<void> | undefined;
  #sending = false;

  constructor(socket: Pick<FrameSocket, "send">) {
    this.#socket = socket;
  }

  /** Resolves when the socket has taken the frames; rejects where it refuses them, as a closed one does. */
  send(frames: (Uint8Array | string)[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queued.push({ frames, resolve, reject });
      if (!this.#sending) void this.#sendAll();
    });
  }

  /** Holds what is sent from now on back until the promise is fulfilled, which must not reject. */
  waitFor(barrier: Promise<void>): void {
    this.#barrier = barrier;
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    for (let message = this.#queued.shift(); message !== undefined; message = this.#queued.shift()) {
      try {
        if (this.#barrier !== undefined) await this.#barrier;
        await this.#socket.send(message.frames);
        message.resolve();
      } catch (error) {
        message.reject(error);
      }
    }
    this.#sending = false;
  }
}
