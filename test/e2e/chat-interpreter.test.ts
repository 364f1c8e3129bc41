/** The interpreter against a scripted service and real kernels: faulty code, broken JSON, slow, busy, failing and broken-off replies. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CodeInterpreter, type CodeInterpreterOptions, type InterpreterEvents } from "../../src/interpreter/index.ts";
import { breaksOff, calls, fails, runs, says, ScriptedModel, slowly, type ScriptedReply } from "../helpers/scripted-model.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** One question after the other, in a session of its own. */
async function withInterpreter(
  replies: ScriptedReply[],
  use: (interpreter: CodeInterpreter, model: ScriptedModel, retries: InterpreterEvents["retry"][]) => Promise<void>,
  options: Partial<CodeInterpreterOptions> = {},
): Promise<void> {
  await using model = await ScriptedModel.start(...replies);
  await using session = await server.client.start();
  const retries: InterpreterEvents["retry"][] = [];
  const interpreter = new CodeInterpreter({ session, model: { model: "scripted", apiBase: model.apiBase, apiKey: "secret" }, ...options });
  interpreter.on("retry", (event) => void retries.push(event));
  await use(interpreter, model, retries);
}

describe("a scripted model over a real kernel", () => {
  it("writes code, sees its output and answers; variables stay for the next question", async () => {
    const replies = [runs("x = 6 * 7\nprint('made')\nx", "I multiply."), says("It is 42."), runs("x + 1"), says("Now 43.")];
    await withInterpreter(replies, async (interpreter, model) => {
      const output: string[] = [];
      interpreter.on("output", ({ text }) => void output.push(text));
      expect(await interpreter.ask("6 times 7?")).toMatchObject({ text: "It is 42.", reason: "answered", executionCount: 1 });
      expect(output.join("")).toBe("made\n");
      expect(model.lastText).toBe("stdout:\nmade\n\nvalue:\n42");
      expect(await interpreter.ask("And one more?")).toMatchObject({ text: "Now 43." });
      expect(model.lastText).toBe("value:\n43");
      expect(model.requests[0]).toMatchObject({ path: "/v1/chat/completions", headers: { authorization: "Bearer secret" } });
    });
  });

  it("corrects faulty code by its traceback", async () => {
    const replies = [runs("total = 1 / 0"), runs("total = 1 / 1\ntotal"), says("One.")];
    await withInterpreter(replies, async (interpreter, model, retries) => {
      expect(await interpreter.ask("Divide")).toMatchObject({ text: "One.", executionCount: 2 });
      expect(retries).toMatchObject([{ reason: "code_failed", message: "ZeroDivisionError: division by zero" }]);
      expect(JSON.stringify(model.requests[1]?.body.messages.at(-1))).toContain("ZeroDivisionError");
      // Numbers as Python has them.
      expect(model.lastText).toBe("value:\n1.0");
    });
  });

  it("writes broken JSON, is told so, and never gets it back as its own", async () => {
    const replies = [calls('{"code": "print("hi")"}'), runs("print('hi')"), says("Said.")];
    await withInterpreter(replies, async (interpreter, model, retries) => {
      expect(await interpreter.ask("Say hi")).toMatchObject({ text: "Said.", executionCount: 1 });
      expect(retries).toMatchObject([{ reason: "broken_arguments" }]);
      const sent = model.requests.flatMap(({ body }) => body.messages.flatMap((message) => message.tool_calls ?? []));
      for (const call of sent) expect(() => JSON.parse(call.function.arguments) as unknown).not.toThrow();
    });
  });

  it("is waited for while it is slow, and heard at once", async () => {
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    await withInterpreter([slowly("First, ", gate, "then.")], async (interpreter) => {
      const heard: string[] = [];
      interpreter.on("message", ({ text }) => {
        heard.push(text);
        open();
      });
      expect(await interpreter.ask("Slowly")).toMatchObject({ text: "First, then." });
      expect(heard).toEqual(["First, ", "then."]);
    });
  });

  it("is asked again after 429, 500 and a stream that broke off, whose code never ran", async () => {
    const replies = [
      fails(429, "Slow down", { "retry-after": "0" }),
      fails(500, "Boom", { "retry-after-ms": "1" }),
      breaksOff("open('never.txt', 'w').write('half and half')"),
      runs("import os; os.path.exists('never.txt')"),
      says("It is not there."),
    ];
    await withInterpreter(
      replies,
      async (interpreter, model, retries) => {
        expect(await interpreter.ask("Is it there?")).toMatchObject({ text: "It is not there.", executionCount: 1 });
        expect(retries.map(({ reason, delayMs }) => [reason, reason === "model_cut" || delayMs])).toEqual([
          ["model_busy", 0],
          ["model_failed", 1],
          ["model_cut", true],
        ]);
        expect(model.lastText).toBe("value:\nFalse");
      },
      { wait: () => Promise.resolve() },
    );
  });

  it("without tools writes fenced code, and nothing behind it is believed", async () => {
    const replies = [fails(400, "scripted does not support tools"), says("Look:\n```python\nsum(range(5))\n```\nIt is 99."), says("Ten.")];
    await withInterpreter(replies, async (interpreter, model) => {
      expect(await interpreter.ask("Sum")).toMatchObject({ text: "Ten.", executionCount: 1 });
      expect(model.lastText).toBe("Output of the code:\nvalue:\n10");
      expect(JSON.stringify(model.requests.at(-1)?.body.messages)).not.toContain("99");
    });
  });

  it("sees figures where it is to", async () => {
    const code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()";
    await withInterpreter(
      [runs(code), says("A line.")],
      async (interpreter, model) => {
        await interpreter.ask("Plot");
        const content = model.requests[1]?.body.messages.at(-1)?.content;
        expect(content).toMatchObject([
          { type: "text" },
          { type: "image_url", image_url: { url: expect.stringMatching(/^data:image\/png;base64,iVBOR/) } },
        ]);
      },
      { sendImages: true },
    );
  });

  it("is interrupted in its code, and the kernel keeps what it had", async () => {
    const replies = [runs("x = 5\nimport time\nprint('on', flush=True)\ntime.sleep(600)"), runs("x"), says("Five.")];
    await withInterpreter(replies, async (interpreter, model) => {
      const isOn = new Promise<void>((resolve) => interpreter.on("output", () => resolve()));
      const answer = interpreter.ask("Wait");
      await isOn;
      await interpreter.interrupt();
      expect(await answer).toMatchObject({ reason: "interrupted" });
      expect(model.requests).toHaveLength(1);
      expect(await interpreter.ask("x?")).toMatchObject({ text: "Five." });
      expect(model.lastText).toBe("value:\n5");
    });
  });

  it("gives up where the caller's signal says so, and nothing goes on in the session", async () => {
    await withInterpreter([runs("import time\nprint('on', flush=True)\ntime.sleep(600)")], async (interpreter) => {
      const controller = new AbortController();
      interpreter.on("output", () => controller.abort());
      await expect(interpreter.ask("Wait", { signal: controller.signal })).rejects.toMatchObject({ code: "aborted" });
    });
  });
});
