/** The order of sends on a socket that takes one at a time. */
import { expect, test } from "vitest";
import { SendQueue } from "../../../src/kernel/send-queue.ts";

/** Refuses a second send while the first is under way, as ZeroMQ sockets do; finishes sends when told. */
class OneAtATimeSocket {
  readonly sent: unknown[] = [];
  #finish: (() => void) | undefined;

  async send(frames: (Uint8Array | string)[]): Promise<void> {
    if (this.#finish) throw new Error("busy");
    if (frames[0] === "refuse") throw new Error("refused");
    this.sent.push(frames[0]);
    await new Promise<void>((resolve) => (this.#finish = resolve));
  }

  finish(): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.();
  }
}

test("messages go one after another, in the order of the calls", async () => {
  const socket = new OneAtATimeSocket();
  const queue = new SendQueue(socket);
  const sends = ["a", "b", "c"].map((text) => queue.send([text]));
  for (const send of sends) {
    socket.finish();
    await send;
  }
  expect(socket.sent).toEqual(["a", "b", "c"]);
});

test("a refused message does not keep back those after it", async () => {
  const socket = new OneAtATimeSocket();
  const queue = new SendQueue(socket);
  const refused = queue.send(["refuse"]);
  const next = queue.send(["next"]);
  await expect(refused).rejects.toThrow("refused");
  socket.finish();
  await next;
  expect(socket.sent).toEqual(["next"]);
});

test("messages wait for what they are told to wait for, and then go in order", async () => {
  const socket = new OneAtATimeSocket();
  const queue = new SendQueue(socket);
  let open = (): void => {};
  queue.waitFor(new Promise((resolve) => (open = resolve)));
  const sends = [queue.send(["a"]), queue.send(["b"])];
  await Promise.resolve();
  expect(socket.sent).toEqual([]);
  open();
  for (const send of sends) {
    await expect.poll(() => socket.sent.length).toBeGreaterThan(sends.indexOf(send));
    socket.finish();
    await send;
  }
  expect(socket.sent).toEqual(["a", "b"]);
});
