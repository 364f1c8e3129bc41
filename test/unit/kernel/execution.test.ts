/** Executions: when they are done, what is delivered, and how they end early. */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { KernelGoneError, KernelProtocolError } from "../../../src/kernel/kernel-errors.ts";
import type { KernelClient } from "../../../src/kernel/kernel-client.ts";
import type { Message } from "../../../src/kernel/messages.ts";
import { FakeKernel } from "../../helpers/fake-kernel.ts";

describe("an execution is done", () => {
  test("when reply and idle have arrived, with everything before idle delivered in order", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute((request) => {
      request.begin().stream("stdout", "a").display({ "text/plain": "b" }).result("2").reply().idle();
    });
    const { types, execution } = execute(client);
    const reply = await execution.done;
    expect(reply.content.status).toBe("ok");
    expect(reply.metadata).toEqual({ taskweaver: { output: '""', variables: [] } });
    expect(types).toEqual(["status", "execute_input", "stream", "display_data", "execute_result", "status"]);
  });

  test("also where idle comes before the reply", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute((request) => void request.busy().stream("stdout", "a").idle().reply());
    const { types, execution } = execute(client);
    await execution.done;
    expect(types).toEqual(["status", "stream", "status"]);
  });

  test("also where the reply comes before busy", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute((request) => void request.reply().busy().stream("stdout", "a").idle());
    const { types, execution } = execute(client);
    await execution.done;
    expect(types).toEqual(["status", "stream", "status"]);
  });

  test("not by the reply alone, and not by idle alone", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute(() => {});
    const first = execute(client);
    const second = execute(client);
    const isDone = vi.fn();
    void first.execution.done.then(isDone);
    void second.execution.done.then(isDone);
    const firstRequest = await kernel.nextRequest("execute_request");
    const secondRequest = await kernel.nextRequest("execute_request");
    firstRequest.busy().reply();
    secondRequest.busy().idle();
    await client.request("kernel_info_request", {});
    expect(isDone).not.toHaveBeenCalled();
    firstRequest.idle();
    secondRequest.reply();
    await Promise.all([first.execution.done, second.execution.done]);
  });

  test("by the first of two replies", async () => {
    const { kernel, client, unrouted } = await connected();
    kernel.onExecute((request) => void request.busy().reply({ first: true }).reply({ first: false }).idle());
    const { execution } = execute(client);
    expect((await execution.done).content).toMatchObject({ first: true });
    expect(unrouted.map((message) => message.header.msg_type)).toContain("execute_reply");
  });

  test("with the reply as data where the code failed", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute((request) => void request.failWith("ZeroDivisionError", "division by zero"));
    const { types, execution } = execute(client);
    expect((await execution.done).content).toMatchObject({ status: "error", ename: "ZeroDivisionError" });
    expect(types).toContain("error");
  });

  test("where the kernel aborted it", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute((request) => void request.busy().reply({ status: "aborted" }).idle());
    expect((await execute(client).execution.done).content.status).toBe("aborted");
  });

  test("some time after the reply where idle never comes, and that is counted", async () => {
    const { kernel, client } = await connected({ graceMs: 5 });
    kernel.onExecute((request) => void request.busy().reply());
    await execute(client).execution.done;
    expect(client.faults.missingIdle).toBe(1);
  });
});

describe("an owner that is busy with a message", () => {
  test("gets the next one afterwards, and meanwhile idle is not missing and answers arrive", async () => {
    const { kernel, client } = await connected({ graceMs: 5 });
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    kernel.onExecute((request) => void request.busy().stream("stdout", "a").reply().stream("stdout", "b").idle());
    const texts: unknown[] = [];
    let goOn = (): void => undefined;
    const execution = client.execute({
      code: "",
      onMessage: ({ content }) => {
        if (content["text"] === undefined) return undefined;
        texts.push(content["text"]);
        return new Promise<void>((resolve) => (goOn = resolve));
      },
    });
    const isDone = vi.fn();
    const done = execution.done.then(isDone);
    await client.request("kernel_info_request", {});
    await vi.advanceTimersByTimeAsync(1000);
    expect(texts).toEqual(["a"]);
    goOn();
    await vi.advanceTimersByTimeAsync(0);
    expect(texts).toEqual(["a", "b"]);
    expect(isDone).not.toHaveBeenCalled();
    goOn();
    await done;
    expect(client.faults.missingIdle).toBe(0);
  });

  test("and then fails on it ends the execution", async () => {
    const { client } = await connected();
    const { done } = client.execute({ code: "", onMessage: () => Promise.reject(new Error("no room")) });
    await expect(done).rejects.toThrow("no room");
  });
});

describe("an execution asks the kernel", () => {
  test("by default to keep history, not to ask for input and not to abort what is queued", async () => {
    const { kernel, client } = await connected();
    await execute(client).execution.done;
    const { content } = await kernel.nextRequest("execute_request");
    const defaults = { silent: false, store_history: true, allow_stdin: false, stop_on_error: false, user_expressions: {} };
    expect(content).toEqual({ code: "1+1", ...defaults });
    expect(kernel.stdinConnected).toBe(false);
  });

  test("for what the caller chose, with the caller's metadata", async () => {
    const { kernel, client } = await connected();
    const chosen = {
      silent: true,
      storeHistory: false,
      allowStdin: true,
      stopOnError: true,
      metadata: { taskweaver: { execution_id: "e" } },
    };
    await client.execute({ code: "2", onMessage: () => {}, ...chosen }).done;
    const request = await kernel.nextRequest("execute_request");
    expect(request.content).toMatchObject({ silent: true, store_history: false, allow_stdin: true, stop_on_error: true });
    expect(request.taskweaver).toEqual({ execution_id: "e" });
    expect(kernel.stdinConnected).toBe(true);
  });

  test("for input, and its question and our answer belong together", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute(async (request) => {
      request.busy();
      const name = await request.input("name? ");
      request.stream("stdout", name).reply().idle();
    });
    const texts: unknown[] = [];
    const onMessage = (message: Message): void => {
      if (message.header.msg_type === "input_request") void client.replyToInput("Ada", message);
      if (message.header.msg_type === "stream") texts.push(message.content["text"]);
    };
    await client.execute({ code: "input()", allowStdin: true, onMessage }).done;
    expect(texts).toEqual(["Ada"]);
    const answer = kernel.requests.find((request) => request.type === "input_reply");
    expect(answer?.message.parent_header.msg_type).toBe("input_request");
  });
});

describe("after it is done, an execution", () => {
  test("still delivers what comes late, until it is released", async () => {
    const { kernel, client, unrouted } = await connected();
    const { types, execution } = execute(client);
    const request = await kernel.nextRequest("execute_request");
    await execution.done;
    types.length = 0;
    request.stream("stdout", "late");
    await client.request("kernel_info_request", {});
    expect(types).toEqual(["stream"]);
    execution.release();
    execution.release();
    request.stream("stdout", "too late");
    await client.request("kernel_info_request", {}, { waitForIdle: true });
    expect(types).toEqual(["stream"]);
    expect(unrouted.at(-1)?.content).toEqual({ name: "stdout", text: "too late" });
  });
});

describe("an execution ends early", () => {
  test("without messages, but with its reply, where it is released before its end", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute(() => {});
    const { types, execution } = execute(client);
    const request = await kernel.nextRequest("execute_request");
    execution.release();
    request.succeed({ stdout: "unheard" });
    await execution.done;
    expect(types).toEqual([]);
  });

  test("by a KernelGoneError where the kernel dies, with its death as the cause", async () => {
    const { kernel, client } = await connected();
    kernel.onExecute((request) => void request.busy());
    const { execution } = execute(client);
    await kernel.nextRequest("execute_request");
    kernel.die();
    const death = new Error("killed");
    client.fail(death);
    await expect(execution.done).rejects.toThrow(KernelGoneError);
    await expect(execution.done).rejects.toMatchObject({ cause: death });
  });

  test("by a KernelGoneError where the client was closed before", async () => {
    const { client } = await connected();
    client.close();
    await expect(execute(client).execution.done).rejects.toThrow(KernelGoneError);
  });

  test("by a KernelProtocolError where the kernel is idle and no reply comes", async () => {
    const { kernel, client } = await connected({ graceMs: 5 });
    kernel.onExecute((request) => void request.busy().idle());
    await expect(execute(client).execution.done).rejects.toThrow(KernelProtocolError);
  });

  test("by the error of its own listener", async () => {
    const { client } = await connected();
    const failure = new Error("listener");
    const onMessage = (): void => {
      throw failure;
    };
    await expect(client.execute({ code: "1", onMessage }).done).rejects.toBe(failure);
    await execute(client).execution.done;
  });
});

async function connected(options: { graceMs?: number } = {}) {
  const kernel = new FakeKernel();
  const unrouted: Message[] = [];
  const client = await kernel.connect({ ...options, onUnroutedMessage: (message) => unrouted.push(message) });
  onTestFinished(() => {
    client.close();
    expect(kernel.failure).toBeUndefined();
  });
  return { kernel, client, unrouted };
}

function execute(client: KernelClient) {
  const types: string[] = [];
  const execution = client.execute({ code: "1+1", onMessage: (message) => void types.push(message.header.msg_type) });
  return { types, execution };
}
