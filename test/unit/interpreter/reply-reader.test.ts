/** Getting a reply: repeated where the service fails in passing, by tool or by fenced code as the service can, cut replies noticed. */
import { describe, expect, it } from "vitest";
import { InterpreterError, type ReplyPart } from "../../../src/interpreter/index.ts";
import { calls, failed, FakeModel, FakeRunner, interpreterOf, says } from "./fakes.ts";

const busy = (retryAfterMs?: number) => new InterpreterError("model_busy", "Too much to do.", { isPassing: true, retryAfterMs });
const cut: ReplyPart[] = [{ kind: "text", text: "The answer is" }];

describe("a service that fails in passing", () => {
  it("is asked again, with pauses that grow", async () => {
    const { interpreter, told, waits } = interpreterOf(new FakeModel(busy(), busy(), busy(), says("Here.")), new FakeRunner());
    expect(await interpreter.ask("Hi")).toMatchObject({ text: "Here." });
    expect(told.of("retry").map(({ reason, attempt }) => [reason, attempt])).toEqual([
      ["model_busy", 1],
      ["model_busy", 2],
      ["model_busy", 3],
    ]);
    expect(waits[0]).toBeGreaterThanOrEqual(250);
    expect(waits[2]).toBeGreaterThan(waits[0] ?? 0);
    expect(told.of("retry").map(({ delayMs }) => delayMs)).toEqual(waits);
  });

  it("says itself when to come back", async () => {
    const { interpreter, waits } = interpreterOf(new FakeModel(busy(1234), says("Here.")), new FakeRunner());
    await interpreter.ask("Hi");
    expect(waits).toEqual([1234]);
  });

  it("is not waited for beyond a minute, which is said", async () => {
    const { interpreter, waits } = interpreterOf(new FakeModel(busy(300_000)), new FakeRunner());
    await expect(interpreter.ask("Hi")).rejects.toThrow("Too much to do; it asks to come back in 300 s.");
    expect(waits).toEqual([]);
  });

  it("is given up after so many tries", async () => {
    const { interpreter, told } = interpreterOf(new FakeModel(busy(), busy(), busy()), new FakeRunner(), { retries: 2 });
    await expect(interpreter.ask("Hi")).rejects.toMatchObject({ code: "model_busy" });
    expect(told.names).toEqual(["retry", "retry", "error"]);
  });

  it("is left alone when the wait is interrupted", async () => {
    const { interpreter } = interpreterOf(new FakeModel(busy()), new FakeRunner(), {
      wait: (_delayMs, signal) => {
        const ended = new Promise<void>((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("ended")), { once: true }),
        );
        void interpreter.interrupt();
        return ended;
      },
    });
    expect(await interpreter.ask("Hi")).toMatchObject({ reason: "interrupted" });
  });
});

it("a fault that will not pass is not repeated", async () => {
  const { interpreter, told } = interpreterOf(new FakeModel(new InterpreterError("model_unauthorized", "No.")), new FakeRunner());
  await expect(interpreter.ask("Hi")).rejects.toMatchObject({ code: "model_unauthorized" });
  expect(told.names).toEqual(["error"]);
});

describe("a reply that breaks off", () => {
  it("is asked for again, and what was written of it does not count", async () => {
    const model = new FakeModel(cut, says("The answer is 4."));
    const { interpreter, told } = interpreterOf(model, new FakeRunner());
    expect(await interpreter.ask("2 + 2?")).toMatchObject({ text: "The answer is 4." });
    expect(told.names).toEqual(["message", "retry", "message", "answer"]);
    expect(model.messages(1)).toEqual([{ role: "user", text: "2 + 2?" }]);
  });

  it("runs none of its code", async () => {
    const half: ReplyPart[] = [{ kind: "call", id: "c", name: "run_python", argumentsText: '{"code": "rm(' }];
    const runner = new FakeRunner();
    await interpreterOf(new FakeModel(half, says("Done.")), runner).interpreter.ask("Go");
    expect(runner.codes).toEqual([]);
  });

  it("twice in the same way comes from a service that marks no end", async () => {
    const model = new FakeModel(cut, cut, [{ kind: "text", text: "And another." }]);
    const { interpreter } = interpreterOf(model, new FakeRunner());
    expect(await interpreter.ask("Hi")).toMatchObject({ text: "The answer is" });
    expect(await interpreter.ask("More")).toMatchObject({ text: "And another." });
  });

  it("with nothing in it is asked for again", async () => {
    const { interpreter, told } = interpreterOf(new FakeModel([], says(""), says("Hello.")), new FakeRunner());
    expect(await interpreter.ask("Hi")).toMatchObject({ text: "Hello." });
    expect(told.of("retry").map(({ reason }) => reason)).toEqual(["model_cut", "model_silent"]);
  });
});

describe("a reply at the service's length limit", () => {
  it("is an answer cut short where it is text", async () => {
    const { interpreter } = interpreterOf(new FakeModel(says("Once upon a ti", "length")), new FakeRunner());
    expect(await interpreter.ask("Tell")).toMatchObject({ text: "Once upon a ti", isCutShort: true });
  });

  it("runs no half code, and says so to the model", async () => {
    const half: ReplyPart[] = [
      { kind: "call", id: "c", name: "run_python", argumentsText: '{"code": "x = 1\\ny =' },
      { kind: "end", reason: "length" },
    ];
    const model = new FakeModel(half, calls("x = 1"), says("Done."));
    const runner = new FakeRunner();
    await interpreterOf(model, runner).interpreter.ask("Go");
    expect(runner.codes).toEqual(["x = 1"]);
    expect(model.messages(1).at(-1)).toMatchObject({ text: expect.stringContaining("write shorter code") });
  });
});

describe("a model without tools", () => {
  const refusal = new InterpreterError("tools_unsupported", "No tools.");

  it("is asked for fenced code instead, from then on", async () => {
    const model = new FakeModel(refusal, says("I count.\n```python\nprint(1)\n```\n"), says("One."), says("Bye."));
    const runner = new FakeRunner({ stdout: ["1\n"] });
    const { interpreter, told } = interpreterOf(model, runner);
    expect(await interpreter.ask("Count")).toMatchObject({ text: "One.", executionCount: 1 });
    await interpreter.ask("Bye");
    expect(model.requests.map(({ withTool }) => withTool)).toEqual([true, false, false, false]);
    expect(runner.codes).toEqual(["print(1)"]);
    expect(
      told
        .of("message")
        .map(({ text }) => text)
        .join(""),
    ).toBe("I count.\nOne.Bye.");
    expect(model.messages(2)).toEqual([
      { role: "user", text: "Count" },
      { role: "assistant", text: "I count.\n```python\nprint(1)\n```", calls: [] },
      { role: "user", text: "Output of the code:\nstdout:\n1" },
    ]);
  });

  it("is not let to guess the output", async () => {
    let isReadOn = false;
    const model = new FakeModel(async function* () {
      yield { kind: "text", text: "```python\nprint(1)\n```\nOutput" };
      isReadOn = true;
      yield { kind: "text", text: ": 7" };
    }, says("1"));
    const { interpreter } = interpreterOf(model, new FakeRunner(), { protocol: "fences" });
    expect(await interpreter.ask("Go")).toMatchObject({ text: "1", executionCount: 1 });
    expect(isReadOn).toBe(false);
  });

  it("may forget to close its block", async () => {
    const runner = new FakeRunner();
    await interpreterOf(new FakeModel(says("```python\nx = 1"), says("Done.")), runner, { protocol: "fences" }).interpreter.ask("Go");
    expect(runner.codes).toEqual(["x = 1"]);
  });

  it("runs no block that was cut", async () => {
    const runner = new FakeRunner();
    const model = new FakeModel(says("```python\nx = 1", "length"), says("Done."));
    await interpreterOf(model, runner, { protocol: "fences" }).interpreter.ask("Go");
    expect(runner.codes).toEqual([]);
  });

  it("corrects what failed", async () => {
    const model = new FakeModel(says("```python\n1 / 0\n```"), says("```python\n1\n```"), says("1"));
    const { interpreter } = interpreterOf(model, new FakeRunner(failed("ZeroDivisionError")), { protocol: "fences" });
    expect(await interpreter.ask("Go")).toMatchObject({ reason: "answered", executionCount: 2 });
  });

  it("whose service drops the tool without a word is understood by its text", async () => {
    const model = new FakeModel(says("I look.\n```python\nx\n```"), says("Done."));
    const runner = new FakeRunner();
    const { interpreter } = interpreterOf(model, runner);
    expect(await interpreter.ask("Go")).toMatchObject({ text: "Done.", executionCount: 1 });
    expect(model.requests.map(({ withTool }) => withTool)).toEqual([true, false]);
  });

  it("may write the call itself as text", async () => {
    const written = '<tool_call>\n{"name": "run_python", "arguments": {"code": "x"}}\n</tool_call>';
    const runner = new FakeRunner();
    await interpreterOf(new FakeModel(says(written), says("Done.")), runner).interpreter.ask("Go");
    expect(runner.codes).toEqual(["x"]);
  });

  it("is a fault where tools were asked for", async () => {
    const { interpreter } = interpreterOf(new FakeModel(refusal), new FakeRunner(), { protocol: "tools" });
    await expect(interpreter.ask("Hi")).rejects.toMatchObject({ code: "tools_unsupported" });
  });
});

describe("fenced code of a model that calls tools", () => {
  it("is for the reader", async () => {
    const runner = new FakeRunner();
    const { interpreter } = interpreterOf(new FakeModel(calls("x"), says("Like this:\n```python\nrm()\n```")), runner);
    expect(await interpreter.ask("Show me")).toMatchObject({ reason: "answered" });
    expect(runner.codes).toEqual(["x"]);
  });

  it("with words behind it is for the reader too, whatever the service can do", async () => {
    const runner = new FakeRunner();
    await interpreterOf(new FakeModel(says("```python\nrm()\n```\nThat is how.")), runner).interpreter.ask("Show me");
    expect(runner.codes).toEqual([]);
  });
});

it("what a reasoning model thinks is neither shown nor run", async () => {
  const parts = ["<thi", "nk>\n```python\nrm()\n```\n", "</think>\n\nIt is ", "4."].map((text) => ({ kind: "text" as const, text }));
  const model = new FakeModel([...parts, { kind: "end", reason: "stop" }], says("Bye."));
  const runner = new FakeRunner();
  const { interpreter, told } = interpreterOf(model, runner, { protocol: "fences" });
  expect(await interpreter.ask("2 + 2?")).toMatchObject({ text: "It is 4." });
  expect(runner.codes).toEqual([]);
  expect(told.of("message").map(({ text }) => text)).toEqual(["It is ", "4."]);
});

describe("a conversation that is too long", () => {
  it("is shortened until the service takes it", async () => {
    const long = new InterpreterError("context_too_long", "Too long.");
    const model = new FakeModel(calls("a"), calls("b"), calls("c"), long, says("Done."));
    const output = { stdout: ["x".repeat(10_000)] };
    const { interpreter, told } = interpreterOf(model, new FakeRunner(output, output, output));
    expect(await interpreter.ask("Go")).toMatchObject({ text: "Done." });
    const size = (index: number) => JSON.stringify(model.messages(index)).length;
    expect(size(4)).toBeLessThan(size(3) / 1.5);
    expect(told.of("retry").at(-1)).toMatchObject({ reason: "context_too_long" });
  });

  it("is a fault where there is nothing left to leave out", async () => {
    const long = new InterpreterError("context_too_long", "Too long.");
    const { interpreter } = interpreterOf(new FakeModel(long), new FakeRunner());
    await expect(interpreter.ask("x".repeat(50_000))).rejects.toMatchObject({ code: "context_too_long" });
  });
});
