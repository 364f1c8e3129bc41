/** The ZeroMQ transport against plain sockets in this process: order, late peers, many kernels, closing. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Publisher, Router, type Socket } from "zeromq";
import { channelAddress, createIpcConnection, type Channel, type ConnectionInfo } from "../../../src/kernel/connection.ts";
import { ZeromqTransport } from "../../../src/kernel/zeromq-transport.ts";

let directory: string;
let connection: ConnectionInfo;
const sockets: Socket[] = [];
const transports: ZeromqTransport[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tw-"));
  connection = createIpcConnection(directory, "k");
});

afterEach(async () => {
  for (const transport of transports.splice(0)) transport.close();
  for (const socket of sockets.splice(0)) socket.close();
  await rm(directory, { recursive: true, force: true });
});

test("messages arrive in the order of the calls, however many are sent at once", async () => {
  const shell = await bindRouter("shell");
  const transport = await openTransport();
  const count = 3000;
  const sends = Array.from({ length: count }, (_, index) => transport.send("shell", [String(index)]));
  for (let index = 0; index < count; index += 1) {
    const [, text] = await shell.receive();
    expect(String(text)).toBe(String(index));
  }
  await Promise.all(sends);
});

test("what is sent before the kernel has bound its socket arrives once it has", async () => {
  const transport = await openTransport();
  await transport.send("shell", ["early"]);
  const shell = await bindRouter("shell");
  expect((await shell.receive()).map(String)).toEqual([expect.any(String), "early"]);
});

test("what is published reaches the client, and iopub needs no more than the subscription", async () => {
  const publisher = new Publisher();
  sockets.push(publisher);
  await publisher.bind(channelAddress(connection, "iopub"));
  const heard: string[] = [];
  const transport = await openTransport((channel, frames) => void heard.push([channel, ...frames.map(String)].join(" ")));
  await expect
    .poll(async () => {
      await publisher.send(["topic", "text"]);
      return heard[0];
    })
    .toBe("iopub topic text");
  transport.close();
});

test("while the owner is busy with what it received on a channel, nothing more is received there, and on others all is", async () => {
  const publisher = new Publisher();
  sockets.push(publisher);
  await publisher.bind(channelAddress(connection, "iopub"));
  const control = await bindRouter("control");
  const [heard, answers]: [string[], string[]] = [[], []];
  let goOn = (): void => undefined;
  const transport = await openTransport((channel, frames) => {
    (channel === "iopub" ? heard : answers).push(String(frames[0]));
    return channel === "iopub" ? new Promise((resolve) => (goOn = resolve)) : undefined;
  });
  await expect.poll(() => publisher.send(["first"]).then(() => heard.length)).toBe(1);
  await publisher.send(["last"]);
  await transport.send("control", ["asked"]);
  const [identity = ""] = await control.receive();
  await control.send([identity, "answered"]);
  await expect.poll(() => answers).toEqual(["answered"]);
  expect(heard).toEqual(["first"]);
  await expect.poll(() => (goOn(), heard.at(-1))).toBe("last");
});

test("messages on shell wait until stdin is known to the kernel, and then keep their order", async () => {
  const shell = await bindRouter("shell");
  const transport = await openTransport();
  await transport.send("shell", ["before"]);
  expect(String((await shell.receive())[1])).toBe("before");
  const control = await bindRouter("control");
  transport.connectStdin();
  const sends = Promise.all(["first", "second"].map((text) => transport.send("shell", [text])));
  await transport.send("control", ["meanwhile"]);
  const order: string[] = [];
  const arrived = shell.receive().then(([, text]) => order.push(String(text)));
  order.push(String((await control.receive())[1]));
  await bindRouter("stdin");
  await sends;
  await arrived;
  order.push(String((await shell.receive())[1]));
  expect(order).toEqual(["meanwhile", "first", "second"]);
});

test("stdin has the same routing identity as shell", async () => {
  const [shell, stdin] = await Promise.all([bindRouter("shell"), bindRouter("stdin")]);
  const transport = await openTransport();
  transport.connectStdin();
  await transport.send("shell", ["a"]);
  await transport.send("stdin", ["b"]);
  const [[shellIdentity], [stdinIdentity]] = await Promise.all([shell.receive(), stdin.receive()]);
  expect(String(shellIdentity)).toBe(String(stdinIdentity));
});

test("more kernels are served than a context's default number of sockets would allow", async () => {
  const control = await bindRouter("control");
  const kernels = 400;
  for (let index = 0; index < kernels; index += 1) {
    const transport = await openTransport();
    transport.connectStdin();
    await transport.send("control", [String(index)]);
  }
  const arrived = new Set<string>();
  while (arrived.size < kernels) arrived.add(String((await control.receive())[1]));
  expect(transports).toHaveLength(kernels);
});

test("a ping without a kernel is false at its time", async () => {
  const transport = await openTransport();
  expect(await transport.ping(20)).toBe(false);
});

test("a closed transport refuses what comes after, and closing again does no harm", async () => {
  const transport = await openTransport();
  transport.connectStdin();
  const held = transport.send("shell", ["held back"]);
  transport.close();
  transport.close();
  transport.connectStdin();
  await expect(held).rejects.toThrow();
  await expect(transport.send("shell", ["late"])).rejects.toThrow("closed");
  await expect(transport.open()).rejects.toThrow("closed");
  expect(await transport.ping(10)).toBe(false);
});

async function bindRouter(channel: Channel): Promise<Router> {
  const router = new Router({ receiveHighWaterMark: 0 });
  sockets.push(router);
  await router.bind(channelAddress(connection, channel));
  return router;
}

async function openTransport(onFrames?: ZeromqTransport["onFrames"]): Promise<ZeromqTransport> {
  const transport = new ZeromqTransport(connection);
  transports.push(transport);
  transport.onFrames = onFrames;
  await transport.open();
  return transport;
}
