/** How a server is connected to its kernels: what it holds of what they say. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Publisher } from "zeromq";
import { channelAddress, createIpcConnection } from "../../../src/kernel/connection.ts";
import { OWN_KERNEL_NAME } from "../../../src/provision/kernelspecs.ts";
import { connect } from "../../../src/server/kernel-source.ts";

/** After so long in which nothing more was taken, nothing will be. */
const PATIENCE_MS = 500;

test("of what a kernel says faster than it is taken the server holds a few messages, and the rest waits in the kernel", async () => {
  const directory = await mkdtemp(join(tmpdir(), "tw-"));
  // Like our kernel it drops nothing; unlike it, it tells when nothing more is taken from it.
  const publisher = new Publisher({ noDrop: true, sendHighWaterMark: 1 });
  const connection = { ...createIpcConnection(directory, "k"), kernel_name: OWN_KERNEL_NAME };
  const transport = connect(connection);
  onTestFinished(async () => {
    transport.close();
    publisher.close();
    await rm(directory, { recursive: true, force: true });
  });
  await publisher.bind(channelAddress(connection, "iopub"));
  let heard = 0;
  transport.onFrames = async () => {
    heard += 1;
    await new Promise(() => undefined);
  };
  await transport.open();
  await expect.poll(() => publisher.send("first").then(() => heard)).toBe(1);
  const display = Buffer.alloc(1024 * 1024);
  let sent = 0;
  for (let takenAt = performance.now(); sent < 100 && performance.now() - takenAt < PATIENCE_MS;) {
    const isTaken = await publisher.send(display).then(
      () => true,
      () => false,
    );
    if (!isTaken) continue;
    sent += 1;
    takenAt = performance.now();
  }
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(16);
});
