/** The heartbeat over a socket in memory. */
import { expect, test } from "vitest";
import { Heartbeat } from "../../../src/kernel/heartbeat.ts";
import type { FrameSocket } from "../../../src/kernel/send-queue.ts";

class EchoSocket implements FrameSocket {
  echoes = true;
  #arrived: Uint8Array[][] = [];
  #waiting: { resolve: (frames: Uint8Array[]) => void; reject: (error: Error) => void } | undefined;

  async send(frames: (Uint8Array | string)[]): Promise<void> {
    if (this.echoes) this.arrive(frames.map((frame) => Buffer.from(frame as string)));
  }

  arrive(frames: Uint8Array[]): void {
    if (this.#waiting) this.#waiting.resolve(frames);
    else this.#arrived.push(frames);
    this.#waiting = undefined;
  }

  receive(): Promise<Uint8Array[]> {
    const frames = this.#arrived.shift();
    return frames ? Promise.resolve(frames) : new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  close(): void {
    this.#waiting?.reject(new Error("closed"));
  }
}

test("a ping is true when its echo comes", async () => {
  const heartbeat = new Heartbeat(new EchoSocket());
  expect(await Promise.all([heartbeat.ping(1000), heartbeat.ping(1000)])).toEqual([true, true]);
});

test("a ping is false when no echo comes in time, and the echo of an earlier one does not count", async () => {
  const socket = new EchoSocket();
  socket.echoes = false;
  const heartbeat = new Heartbeat(socket);
  expect(await heartbeat.ping(5)).toBe(false);
  const second = heartbeat.ping(5);
  socket.arrive([Buffer.from(""), Buffer.from("ping-1")]);
  socket.arrive([]);
  expect(await second).toBe(false);
});

test("a ping under way when the socket closes is false at its time", async () => {
  const socket = new EchoSocket();
  socket.echoes = false;
  const heartbeat = new Heartbeat(socket);
  const ping = heartbeat.ping(5);
  heartbeat.close();
  expect(await ping).toBe(false);
});
