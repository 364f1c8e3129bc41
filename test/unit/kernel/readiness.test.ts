/** Waiting for a kernel to be ready: its answer and its output. */
import { describe, expect, onTestFinished, test } from "vitest";
import { KernelClient } from "../../../src/kernel/kernel-client.ts";
import { KernelGoneError, KernelTimeoutError } from "../../../src/kernel/kernel-errors.ts";
import { FakeKernel, type FakeKernelOptions } from "../../helpers/fake-kernel.ts";

describe("a kernel is ready", () => {
  test("with one request where it greets its subscriber", async () => {
    const { kernel, client } = await opened();
    expect(await client.waitUntilReady(1000)).toEqual({
      protocolVersion: "5.4",
      implementation: "fake",
      languageInfo: expect.objectContaining({ name: "python" }) as unknown,
      taskweaverProtocol: 1,
    });
    expect(kernel.requests.map((request) => request.type)).toEqual(["kernel_info_request"]);
  });

  test("without our extensions where it does not speak them", async () => {
    const { client } = await opened({ kernelInfo: { taskweaver_protocol: undefined } });
    expect((await client.waitUntilReady(1000)).taskweaverProtocol).toBeUndefined();
  });

  test("only when its output is heard: the request is repeated until then", async () => {
    const { kernel, client } = await opened({ welcome: false });
    let count = 0;
    kernel.on("kernel_info_request", (request) => {
      count += 1;
      if (count < 3) request.reply(INFO);
      else request.answer(INFO);
    });
    await client.waitUntilReady(1000);
    expect(count).toBe(3);
  });

  test("by one status message of its request where it greets nobody", async () => {
    const { kernel, client } = await opened({ welcome: false });
    await client.waitUntilReady(1000);
    expect(kernel.requests).toHaveLength(1);
  });

  test("over control where it may be busy on shell", async () => {
    const { kernel, client } = await opened();
    await client.waitUntilReady(1000, undefined, "control");
    expect(kernel.requests[0]?.message.channel).toBe("control");
  });

  test("again, for whoever asks a second time", async () => {
    const { client } = await opened();
    await client.waitUntilReady(1000);
    await client.waitUntilReady(1000);
  });
});

describe("the wait ends", () => {
  test("by a KernelTimeoutError where nothing answers", async () => {
    const { kernel, client } = await opened();
    kernel.silence();
    await expect(client.waitUntilReady(5)).rejects.toThrow(KernelTimeoutError);
  });

  test("by a KernelTimeoutError where a forged reply is all that comes", async () => {
    const { kernel, client } = await opened();
    kernel.on("kernel_info_request", (request) => {
      kernel.send("shell", "kernel_info_reply", INFO, { parent: request.message.header, key: "forged" });
    });
    await expect(client.waitUntilReady(20)).rejects.toThrow(KernelTimeoutError);
    expect(client.faults.badSignatures).toBe(1);
  });

  test("by the signal's reason", async () => {
    const { kernel, client } = await opened();
    kernel.silence();
    const reason = new Error("no longer wanted");
    const abort = new AbortController();
    const ready = client.waitUntilReady(1000, abort.signal);
    abort.abort(reason);
    await expect(ready).rejects.toBe(reason);
    await expect(client.waitUntilReady(1000, abort.signal)).rejects.toBe(reason);
  });

  test("by a KernelGoneError where the kernel dies or the client is closed", async () => {
    const { kernel, client } = await opened();
    kernel.silence();
    const ready = client.waitUntilReady(1000);
    client.fail(new Error("killed"));
    await expect(ready).rejects.toThrow(KernelGoneError);
    await expect(client.waitUntilReady(1000)).rejects.toThrow(KernelGoneError);
    await expect(client.open()).rejects.toThrow(KernelGoneError);
    expect(kernel.disconnected).toBe(true);
  });
});

const INFO = { status: "ok", protocol_version: "5.3", implementation: "stock", language_info: { name: "python" } };

async function opened(options: FakeKernelOptions = {}) {
  const kernel = new FakeKernel(options);
  const client = new KernelClient(kernel.transport, { key: kernel.connection.key });
  onTestFinished(() => client.close());
  await client.open();
  return { kernel, client };
}
