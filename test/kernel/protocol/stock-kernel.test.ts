/** The kernel client with a stock ipykernel, over Unix sockets and TCP. */
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KernelGoneError, KernelTimeoutError } from "../../../src/kernel/kernel-errors.ts";
import type { Message } from "../../../src/kernel/messages.ts";
import { START_TIMEOUT_MS, StockKernel, textOf, typesOf } from "./stock-kernel.ts";

describe.each(["ipc", "tcp"] as const)("a stock kernel over %s", (transport) => {
  let kernel: StockKernel;

  beforeAll(async () => {
    kernel = await StockKernel.start(transport);
  });
  afterAll(() => kernel.close());

  test("is waited for from before it has bound its sockets, and tells what it is", async () => {
    await kernel.client.open();
    const info = await kernel.client.waitUntilReady(START_TIMEOUT_MS);
    expect(info).toMatchObject({ implementation: "ipython", languageInfo: { name: "python" }, taskweaverProtocol: undefined });
    expect(info.protocolVersion).toMatch(/^5\./);
  });

  test("runs code: output and value arrive before the end, in order", async () => {
    const { reply, messages, stdout } = await kernel.run("print('hi')\n6 * 7");
    expect(reply.content).toMatchObject({ status: "ok" });
    expect(stdout).toBe("hi\n");
    expect(typesOf(messages)).toEqual(["status", "execute_input", "stream", "execute_result", "status"]);
    expect(messages[3]?.content["data"]).toMatchObject({ "text/plain": "42" });
  });

  test("keeps its state between executions", async () => {
    await kernel.run("x = 41");
    expect((await kernel.run("print(x + 1)")).stdout).toBe("42\n");
  });

  test("tells the code's failure as data, and runs what was queued behind it all the same", async () => {
    const failing = kernel.run("1/0");
    const following = kernel.run("print('still here')");
    const { reply, messages } = await failing;
    expect(reply.content).toMatchObject({ status: "error", ename: "ZeroDivisionError", evalue: "division by zero" });
    expect(typesOf(messages)).toContain("error");
    expect((await following).stdout).toBe("still here\n");
  });

  test("asks for input and gets it, also right after stdin was first connected", async () => {
    const answer = (message: Message): void => {
      if (message.header.msg_type === "input_request") void kernel.client.replyToInput("Ada", message);
    };
    const { stdout } = await kernel.run("print('hello', input('name? '))", answer, true);
    expect(stdout).toContain("hello Ada");
  });

  test("refuses input() where it was not allowed", async () => {
    const { reply } = await kernel.run("input()");
    expect(reply.content).toMatchObject({ status: "error", ename: "StdinNotImplementedError" });
  });

  test("is interrupted over control, also while the code sleeps", async () => {
    const { reply } = await kernel.run("import time\nprint('begun', flush=True)\ntime.sleep(60)", (message) => {
      if (message.header.msg_type === "stream") void kernel.client.interrupt();
    });
    expect(reply.content).toMatchObject({ status: "error", ename: "KeyboardInterrupt" });
  });

  test("completes code", async () => {
    const reply = await kernel.client.request("complete_request", { code: "import jso", cursor_pos: 10 });
    expect(reply.content["matches"]).toContain("json");
  });

  test("answers heartbeats, many at once", async () => {
    expect(await Promise.all([1, 2, 3].map(() => kernel.client.ping(5000)))).toEqual([true, true, true]);
  });

  test("loses no message of a flood", async () => {
    const { messages } = await kernel.run("for i in range(3000):\n    display({'text/plain': str(i)}, raw=True)");
    const texts = messages.filter((message) => message.header.msg_type === "display_data").map(plainText);
    expect(texts).toEqual(Array.from({ length: 3000 }, (_, index) => String(index)));
  });

  test("sends output of a thread after the end of its execution, until the execution is released", async () => {
    const fifo = join(kernel.directory, "go");
    let resolveLate = (_text: string): void => {};
    const late = new Promise<string>((resolve) => (resolveLate = resolve));
    const messages: Message[] = [];
    const execution = kernel.client.execute({
      code: [
        "import os, threading",
        `os.mkfifo(${JSON.stringify(fifo)})`,
        "def speak():",
        `    with open(${JSON.stringify(fifo)}) as go:`,
        "        print(go.read(), flush=True)",
        "threading.Thread(target=speak).start()",
      ].join("\n"),
      onMessage: (message) => {
        messages.push(message);
        const text = textOf(messages, "stdout");
        if (text.endsWith("\n")) resolveLate(text);
      },
    });
    expect((await execution.done).content.status).toBe("ok");
    await writeFile(fifo, "from the thread");
    expect(await late).toBe("from the thread\n");
    execution.release();
  });

  test("carries binary buffers of comm messages", async () => {
    const heard: Message[] = [];
    const leave = kernel.client.subscribe((message) => heard.push(message));
    const code = "from comm import create_comm\nc = create_comm(target_name='t', data={'a': 1}, buffers=[b'\\x00\\xff'])";
    await kernel.run(code);
    leave();
    const open = heard.find((message) => message.header.msg_type === "comm_open");
    expect(open?.content).toMatchObject({ target_name: "t", data: { a: 1 } });
    expect(open?.buffers.map((buffer) => [...buffer])).toEqual([[0, 255]]);
  });

  test("serves a second client at the same time, and both hear what it publishes", async () => {
    const second = kernel.newClient();
    try {
      await second.open();
      await second.waitUntilReady(5000);
      const heard: Message[] = [];
      second.subscribe((message) => heard.push(message));
      await kernel.run("print('to all')");
      await second.request("kernel_info_request", {}, { waitForIdle: true });
      expect(textOf(heard, "stdout")).toBe("to all\n");
    } finally {
      second.close();
    }
  });

  test("does not obey a client with another key", async () => {
    const forger = kernel.newClient({ key: "forged" });
    try {
      await forger.open();
      await expect(forger.waitUntilReady(300)).rejects.toThrow(KernelTimeoutError);
      expect((await kernel.run("1")).reply.content["status"]).toBe("ok");
      // Nor does that client believe what this kernel publishes.
      await expect.poll(() => forger.faults.badSignatures).toBeGreaterThan(0);
    } finally {
      forger.close();
    }
  });

  test("broke the protocol nowhere", () => {
    expect(kernel.client.faults).toEqual({ badSignatures: 0, malformed: 0, tooLarge: 0, missingIdle: 0, failedListeners: 0 });
  });

  test("shuts down when asked", async () => {
    const exited = once(kernel.process, "exit");
    const reply = await kernel.client.shutdown({ restart: false });
    expect(reply.header.msg_type).toBe("shutdown_reply");
    expect(await exited).toEqual([0, null]);
  });
});

test("a kernel that dies leaves nothing waiting once its owner has said so", async () => {
  const kernel = await StockKernel.start("ipc");
  try {
    await kernel.ready();
    kernel.process.once("exit", () => kernel.client.fail(new Error("exited")));
    await expect(kernel.run("import os\nos._exit(7)")).rejects.toThrow(KernelGoneError);
    expect(await kernel.client.ping(10)).toBe(false);
  } finally {
    await kernel.close();
  }
});

function plainText(message: Message): unknown {
  return (message.content["data"] as Record<string, unknown>)["text/plain"];
}
