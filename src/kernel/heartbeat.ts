/** The heartbeat channel: what is sent comes back as it was. */
import { SendQueue, type FrameSocket } from "./send-queue.ts";

/** Pings over a socket that it owns from now on. */
export class Heartbeat {
  readonly #socket: FrameSocket;
  readonly #queue: SendQueue;
  readonly #waiting = new Map<string, () => void>();
  #count = 0;

  constructor(socket: FrameSocket) {
    this.#socket = socket;
    this.#queue = new SendQueue(socket);
    void this.#receiveAll();
  }

  /** Resolves true when the echo of this very ping comes within the time, false otherwise; never rejects. */
  async ping(timeoutMs: number): Promise<boolean> {
    const payload = `ping-${++this.#count}`;
    return new Promise((resolve) => {
      const finish = (echoed: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(payload);
        resolve(echoed);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#waiting.set(payload, () => finish(true));
      // The empty frame is for kernels that answer with a REP socket, which strips it and puts it back.
      this.#queue.send(["", payload]).catch(() => finish(false));
    });
  }

  close(): void {
    this.#socket.close();
  }

  async #receiveAll(): Promise<void> {
    try {
      for (;;) {
        const frames = await this.#socket.receive();
        const payload = frames.at(-1);
        if (payload !== undefined) this.#waiting.get(Buffer.from(payload).toString("latin1"))?.();
      }
    } catch {
      // The socket was closed; pings still waiting run into their timeouts.
    }
  }
}
