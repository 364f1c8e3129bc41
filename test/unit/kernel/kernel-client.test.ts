/** Requests, faults, listeners and closing of the kernel client. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { KernelClient, KernelClientOptions, ProtocolFault } from "../../../src/kernel/kernel-client.ts";
import { KernelGoneError, KernelTimeoutError } from "../../../src/kernel/kernel-errors.ts";
import type { Message } from "../../../src/kernel/messages.ts";
import { FakeKernel } from "../../helpers/fake-kernel.ts";

describe("a request", () => {
  test("resolves with its reply, whatever the status", async () => {
    const { kernel, client } = await connected();
    kernel.on("complete_request", (request) => void request.answer({ status: "error", ename: "E", evalue: "", traceback: [] }));
    const reply = await client.request("complete_request", { code: "pri", cursor_pos: 3 });
    expect(reply.header.msg_type).toBe("complete_reply");
    expect(reply.content["status"]).toBe("error");
  });

  test("goes over the channel and with the metadata that the caller chose", async () => {
    const { kernel, client } = await connected();
    await client.request("taskweaver_x_request", { a: 1 }, { channel: "control", metadata: { b: 2 } });
    const { message } = await kernel.nextRequest("taskweaver_x_request");
    expect(message).toMatchObject({ channel: "control", content: { a: 1 }, metadata: { b: 2 } });
  });

  test("can wait for idle, so that all its output has come", async () => {
    const { kernel, client } = await connected();
    kernel.on("taskweaver_x_request", (request) => void request.busy().reply());
    const isDone = vi.fn();
    const done = client.request("taskweaver_x_request", {}, { waitForIdle: true }).then(isDone);
    const request = await kernel.nextRequest("taskweaver_x_request");
    await client.request("kernel_info_request", {});
    expect(isDone).not.toHaveBeenCalled();
    request.idle();
    await done;
  });

  test("ignores replies of another type, and those to other requests", async () => {
    const { kernel, client, unrouted } = await connected();
    kernel.on("complete_request", (request) => {
      const parent = request.message.header;
      kernel.send("shell", "inspect_reply", { status: "error" }, { parent });
      kernel.send("shell", "complete_reply", { status: "error", stray: true }, { parent: { ...parent, msg_id: "other" } });
      request.reply({ status: "error", right: true });
    });
    expect((await client.request("complete_request", {})).content).toMatchObject({ right: true });
    expect(unrouted.map((message) => message.header.msg_type)).toContain("inspect_reply");
  });

  test("ends by a KernelTimeoutError where no answer comes in time, and the late answer goes nowhere", async () => {
    const { kernel, client, unrouted } = await connected();
    await expect(client.request("unknown_request", {}, { timeoutMs: 5 })).rejects.toThrow(KernelTimeoutError);
    (await kernel.nextRequest("unknown_request")).reply();
    await client.request("kernel_info_request", {});
    expect(unrouted.map((message) => message.header.msg_type)).toContain("unknown_reply");
  });

  test("without a limit does not end at once", async () => {
    const { kernel, client } = await connected();
    const reply = client.request("unknown_request", {}, { timeoutMs: Infinity });
    (await kernel.nextRequest("unknown_request")).reply();
    await reply;
  });

  test("ends by the signal's reason, and is not even sent where the signal was aborted before", async () => {
    const { kernel, client } = await connected();
    const reason = new Error("no longer wanted");
    const abort = new AbortController();
    const reply = client.request("unknown_request", {}, { signal: abort.signal });
    abort.abort(reason);
    await expect(reply).rejects.toBe(reason);
    await expect(client.request("other_request", {}, { signal: abort.signal })).rejects.toBe(reason);
    await client.request("kernel_info_request", {});
    expect(kernel.requests.map((request) => request.type)).not.toContain("other_request");
  });

  test("with content that JSON cannot hold rejects and harms nothing", async () => {
    const { client } = await connected();
    await expect(client.request("x_request", { big: 1n })).rejects.toThrow(TypeError);
    await client.request("kernel_info_request", {});
  });
});

test("interrupt and shutdown go over control", async () => {
  const { kernel, client } = await connected();
  await client.interrupt();
  await client.shutdown({ restart: true });
  const [interrupt, shutdown] = kernel.requests.slice(-2);
  expect(interrupt?.message).toMatchObject({ channel: "control", header: { msg_type: "interrupt_request" } });
  expect(shutdown?.message).toMatchObject({ channel: "control", content: { restart: true } });
});

test("a ping is true while the kernel's heart beats", async () => {
  const { kernel, client } = await connected();
  expect(await client.ping(5)).toBe(true);
  kernel.silence();
  expect(await client.ping(5)).toBe(false);
  kernel.speak();
  client.close();
  expect(await client.ping(5)).toBe(false);
});

describe("what the kernel sends wrongly is passed over and counted:", () => {
  test("a forged signature", async () => {
    const { kernel, client, faults } = await connected();
    kernel.onExecute((request) => {
      request.begin().publish("stream", { name: "stdout", text: "forged" }, { key: "other" });
      request.stream("stdout", "real").reply().idle();
    });
    const texts = await streamTexts(client);
    expect(texts).toEqual(["real"]);
    expect(client.faults.badSignatures).toBe(1);
    expect(faults).toEqual([{ kind: "bad_signature", detail: "frames on iopub were refused" }]);
  });

  test("frames that are no message", async () => {
    const { kernel, client } = await connected();
    kernel.sendFrames("iopub", ["rubbish"]);
    kernel.sendFrames("shell", []);
    await client.request("kernel_info_request", {});
    expect(client.faults.malformed).toBe(2);
  });

  test("a message too large to be read", async () => {
    const { kernel, client } = await connected({ largestMessageBytes: 5000 });
    kernel.onExecute((request) => void request.begin().stream("stdout", "x".repeat(5000)).stream("stdout", "small").reply().idle());
    expect(await streamTexts(client)).toEqual(["small"]);
    expect(client.faults.tooLarge).toBe(1);
  });

  test("a message that lacks a required field", async () => {
    const { kernel, client, faults } = await connected();
    kernel.onExecute((request) => void request.begin().publish("stream", { name: "stdout" }).stream("stdout", "whole").reply().idle());
    expect(await streamTexts(client)).toEqual(["whole"]);
    expect(faults[0]?.detail).toBe("stream on iopub lacks a valid text");
  });

  test("but a message of an unknown type is delivered", async () => {
    const { kernel, client, faults } = await connected();
    kernel.onExecute((request) => void request.begin().log("info", "plugin", "hi").publish("future_type", {}).reply().idle());
    const types: string[] = [];
    await client.execute({ code: "", onMessage: (message) => void types.push(message.header.msg_type) }).done;
    expect(types).toEqual(["status", "execute_input", "taskweaver_log", "future_type", "status"]);
    expect(faults).toEqual([]);
  });
});

describe("a listener", () => {
  test("hears every valid message of every parent, until it leaves", async () => {
    const { kernel, client } = await connected();
    const heard: string[] = [];
    const leave = client.subscribe((message) => heard.push(`${message.channel} ${message.header.msg_type}`));
    kernel.send("iopub", "comm_open", { comm_id: "1", target_name: "t", data: {} }, { parent: { msg_id: "of another" } });
    await client.request("kernel_info_request", {}, { waitForIdle: true });
    expect(heard).toEqual(["iopub comm_open", "iopub status", "shell kernel_info_reply", "iopub status"]);
    leave();
    await client.request("kernel_info_request", {}, { waitForIdle: true });
    expect(heard).toHaveLength(4);
  });

  test("that fails keeps no message from the others", async () => {
    const { client, faults } = await connected();
    client.subscribe(() => {
      throw new Error("listener");
    });
    const other = vi.fn();
    client.subscribe(other);
    await client.request("kernel_info_request", {});
    expect(other).toHaveBeenCalled();
    expect(faults[0]).toMatchObject({ kind: "listener_failed" });
  });

  test("hears the answers to a forwarded message, which keeps its own header", async () => {
    const { kernel, client } = await connected();
    const heard: Message[] = [];
    client.subscribe((message) => heard.push(message));
    const header = { msg_id: "foreign", session: "door", username: "u", date: "", msg_type: "execute_request", version: "5.4" };
    const content = { code: "1", allow_stdin: true };
    await client.forward({ channel: "shell", header, parent_header: {}, metadata: {}, content, buffers: [] });
    const request = await kernel.nextRequest("execute_request");
    expect(request.message.header).toEqual(header);
    expect(kernel.stdinConnected).toBe(true);
    await client.request("kernel_info_request", {});
    const answers = heard.filter((message) => message.parent_header.msg_id === "foreign");
    expect(answers.map((message) => message.header.msg_type)).toEqual(["status", "execute_input", "execute_reply", "status"]);
  });
});

test("closing ends everything pending, twice does no harm, and what comes later is not heard", async () => {
  const { kernel, client, unrouted } = await connected();
  const pending = client.request("unknown_request", {});
  const request = await kernel.nextRequest("unknown_request");
  const heard = unrouted.length;
  client.close();
  client.close();
  client.fail(new Error("after the fact"));
  request.reply();
  await expect(pending).rejects.toThrow("The connection to the kernel was closed.");
  await expect(client.request("kernel_info_request", {})).rejects.toThrow(KernelGoneError);
  await expect(client.replyToInput("text", request.message)).rejects.toThrow(KernelGoneError);
  await expect(client.forward({ ...request.message, channel: "shell" })).rejects.toThrow(KernelGoneError);
  expect(unrouted).toHaveLength(heard);
  expect(kernel.disconnected).toBe(true);
});

async function connected(options: Partial<KernelClientOptions> = {}) {
  const kernel = new FakeKernel();
  const unrouted: Message[] = [];
  const faults: ProtocolFault[] = [];
  const client = await kernel.connect({
    onUnroutedMessage: (message) => unrouted.push(message),
    onProtocolFault: (fault) => faults.push(fault),
    ...options,
  });
  onTestFinished(() => {
    client.close();
    expect(kernel.failure).toBeUndefined();
  });
  return { kernel, client, unrouted, faults };
}

async function streamTexts(client: KernelClient): Promise<unknown[]> {
  const texts: unknown[] = [];
  const onMessage = (message: Message): void => {
    if (message.header.msg_type === "stream") texts.push(message.content["text"]);
  };
  await client.execute({ code: "", onMessage }).done;
  return texts;
}
