/** The interpreter over a scripted model and runner: code is run, corrected, confirmed and interrupted; every question ends. */
import { describe, expect, it } from "vitest";
import { ExecutionClientError } from "../../../src/client/index.ts";
import { InterpreterError, type PluginDescription } from "../../../src/interpreter/index.ts";
import { calls, endless, failed, FakeModel, FakeRunner, figure, interpreterOf, says } from "./fakes.ts";

describe("a question", () => {
  it("without code is answered by the model alone", async () => {
    const model = new FakeModel(says("Hello!"));
    const runner = new FakeRunner();
    const { interpreter, told } = interpreterOf(model, runner);
    expect(await interpreter.ask("Hi")).toEqual({ text: "Hello!", reason: "answered", executionCount: 0, isCutShort: false });
    expect(told.names).toEqual(["message", "answer"]);
    expect(runner.codes).toEqual([]);
    expect(model.messages(0)).toEqual([{ role: "user", text: "Hi" }]);
  });

  it("makes the model write code, runs it, gives the output back, and tells all of it in order", async () => {
    const model = new FakeModel([{ kind: "text", text: "I count. " }, ...calls("len([1, 2])")], says("There are 2."));
    const runner = new FakeRunner(async (handlers) => {
      await handlers.onOutput("counting\n", "stdout");
      await handlers.onArtifact(figure());
      return { output: 2, stdout: ["counting\n"], artifact: [figure()] };
    });
    const { interpreter, told } = interpreterOf(model, runner);
    expect(await interpreter.ask("How many?")).toMatchObject({ text: "There are 2.", reason: "answered", executionCount: 1 });
    expect(told.names).toEqual(["message", "code", "code", "execution-start", "output", "artifact", "result", "message", "answer"]);
    expect(runner.codes).toEqual(["len([1, 2])"]);
    expect(model.messages(1)).toEqual([
      { role: "user", text: "How many?" },
      { role: "assistant", text: "I count.", calls: [{ id: "call-0", code: "len([1, 2])" }] },
      {
        role: "tool",
        callId: "call-0",
        text: "stdout:\ncounting\n\nvalue:\n2\n\nfiles:\ne-display-1_image.png (image, <Figure size 640x480 with 1 Axes>)",
      },
    ]);
  });

  it("shows code piece by piece while it is written, and whole at last", async () => {
    const pieces = ['{"co', 'de": "print(', "1)\\n", 'x"}'];
    const model = new FakeModel(
      [
        ...pieces.map((argumentsText) => ({ kind: "call" as const, id: "c", name: "run_python", argumentsText })),
        { kind: "end", reason: "stop" },
      ],
      says("Done."),
    );
    const { interpreter, told } = interpreterOf(model, new FakeRunner());
    await interpreter.ask("Go");
    expect(told.of("code")).toEqual([
      { callId: "c", text: "print(", code: "print(", isComplete: false },
      { callId: "c", text: "1)\n", code: "print(1)\n", isComplete: false },
      { callId: "c", text: "x", code: "print(1)\nx", isComplete: false },
      { callId: "c", text: "", code: "print(1)\nx", isComplete: true },
    ]);
  });

  it("remembers what was said before", async () => {
    const model = new FakeModel(says("Nice to meet you."), says("You are Ada."), says("I do not know."));
    const { interpreter } = interpreterOf(model, new FakeRunner());
    await interpreter.ask("I am Ada.");
    await interpreter.ask("Who am I?");
    expect(model.messages(1).map((message) => "text" in message && message.text)).toEqual(["I am Ada.", "Nice to meet you.", "Who am I?"]);
    interpreter.forget();
    await interpreter.ask("Who am I?");
    expect(model.messages(2)).toEqual([{ role: "user", text: "Who am I?" }]);
  });

  it("carries what the model was to be told", async () => {
    const model = new FakeModel(says("Fine."));
    const { interpreter } = interpreterOf(model, new FakeRunner());
    interpreter.note("The kernel was restarted.");
    await interpreter.ask("Go on");
    expect(model.messages(0)).toEqual([{ role: "user", text: "(The kernel was restarted.)\nGo on" }]);
  });

  it("is one at a time", async () => {
    const { interpreter } = interpreterOf(new FakeModel(says("One.")), new FakeRunner());
    const first = interpreter.ask("One?");
    await expect(interpreter.ask("Two?")).rejects.toMatchObject({ code: "busy" });
    await expect(first).resolves.toMatchObject({ text: "One." });
  });
});

describe("what the model is told first", () => {
  const plugin: PluginDescription = {
    name: "moving_average",
    description: "Smooths a series\n  of numbers.",
    parameters: [
      { name: "values", type: "list", description: "The numbers.", isRequired: true },
      { name: "window", type: "int", description: "", isRequired: false },
    ],
    returns: [{ name: "means", type: "list", description: "As many.", isRequired: true }],
  };

  it("has the plugins as Python would declare them, and the caller's own words", async () => {
    const model = new FakeModel(says("Ok."));
    const { interpreter } = interpreterOf(model, new FakeRunner(), { plugins: [plugin], instructions: "Always use metric units." });
    await interpreter.ask("Hi");
    const prompt = model.requests[0]?.messages[0];
    expect(prompt).toMatchObject({ role: "system" });
    const text = prompt !== undefined && "text" in prompt ? prompt.text : "";
    expect(text).toContain(
      "def moving_average(values: list, window: int = ...) -> list:\n    # Smooths a series of numbers.\n    # values: The numbers.\n    # returns means: As many.",
    );
    expect(text).toMatch(/call run_python[^]*Always use metric units\.$/);
  });
});

describe("code that fails", () => {
  it("goes back to the model, which corrects it", async () => {
    const model = new FakeModel(calls("1 / 0"), calls("1 / 1"), says("It is 1."));
    const runner = new FakeRunner(failed("ZeroDivisionError: division by zero"), { output: 1 });
    const { interpreter, told } = interpreterOf(model, runner);
    expect(await interpreter.ask("Divide")).toMatchObject({ text: "It is 1.", reason: "answered", executionCount: 2 });
    expect(told.of("retry")).toEqual([{ reason: "code_failed", attempt: 1, delayMs: 0, message: "ZeroDivisionError: division by zero" }]);
    expect(told.of("execution-start").map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(model.messages(1).at(-1)).toMatchObject({ role: "tool", text: expect.stringContaining("error:\nTraceback") });
  });

  it("is corrected so often and no more, then the model says what stands in the way", async () => {
    const model = new FakeModel(calls("a"), calls("b"), calls("c"), says("It cannot be done."));
    const runner = new FakeRunner(failed("E: 1"), failed("E: 2"), failed("E: 3"));
    const { interpreter, told } = interpreterOf(model, runner, { mostCorrections: 2 });
    expect(await interpreter.ask("Try")).toMatchObject({ text: "It cannot be done.", reason: "gave_up", executionCount: 3 });
    expect(told.of("retry")).toHaveLength(2);
    expect(model.messages(3).at(-1)).toMatchObject({ text: expect.stringMatching(/last piece of code/) });
  });

  it("ends the question also where the model does not listen", async () => {
    const model = new FakeModel(calls("a"), calls("b"), says("Sorry."));
    const { interpreter } = interpreterOf(model, new FakeRunner(failed("E: 1")), { mostCorrections: 0 });
    expect(await interpreter.ask("Try")).toMatchObject({ reason: "gave_up", executionCount: 1 });
    await interpreter.ask("And now?");
    // Every call has an output: services refuse one without.
    expect(model.messages(2).slice(-3)).toEqual([
      { role: "assistant", text: "", calls: [{ id: "call-0", code: "b" }] },
      { role: "tool", callId: "call-0", text: "Not run." },
      { role: "user", text: "And now?" },
    ]);
  });

  it("leaves the rest of the same reply unrun", async () => {
    const model = new FakeModel(calls("bad", "next"), says("Hm."));
    const runner = new FakeRunner(failed("E: 1"));
    const { interpreter } = interpreterOf(model, runner);
    await interpreter.ask("Two things");
    expect(runner.codes).toEqual(["bad"]);
    expect(model.messages(1).at(-1)).toMatchObject({ callId: "call-1", text: expect.stringContaining("Not run") });
  });

  it("counts anew after code that works", async () => {
    const model = new FakeModel(calls("a"), calls("b"), calls("c"), calls("d"), says("Done."));
    const runner = new FakeRunner(failed("E"), {}, failed("E"), {});
    const { interpreter } = interpreterOf(model, runner, { mostCorrections: 1 });
    expect(await interpreter.ask("Go")).toMatchObject({ reason: "answered", executionCount: 4 });
  });
});

it("runs only so much code for one question", async () => {
  const model = new FakeModel(calls("a"), calls("b"), says("That is all I know."));
  const runner = new FakeRunner({}, {});
  const { interpreter } = interpreterOf(model, runner, { mostExecutions: 2 });
  expect(await interpreter.ask("Loop")).toMatchObject({ text: "That is all I know.", reason: "gave_up", executionCount: 2 });
});

describe("arguments that are no JSON", () => {
  const broken = (argumentsText: string) => [
    { kind: "call" as const, id: "c", name: "run_python", argumentsText },
    { kind: "end" as const, reason: "stop" as const },
  ];

  it("go back to the model with what is wrong with them", async () => {
    const model = new FakeModel(broken('{"code": "print("hi")"}'), calls("print('hi')"), says("Done."));
    const runner = new FakeRunner({ stdout: ["hi\n"] });
    const { interpreter, told } = interpreterOf(model, runner);
    expect(await interpreter.ask("Greet")).toMatchObject({ reason: "answered", executionCount: 1 });
    expect(told.of("retry")).toMatchObject([{ reason: "broken_arguments", attempt: 1 }]);
    expect(model.messages(1).at(-1)).toMatchObject({ role: "tool", text: expect.stringContaining("not valid JSON") });
  });

  it("are run where only line breaks are not escaped", async () => {
    const runner = new FakeRunner();
    const { interpreter } = interpreterOf(new FakeModel(broken('{"code": "x = 1\nprint(x)"}'), says("Done.")), runner);
    await interpreter.ask("Go");
    expect(runner.codes).toEqual(["x = 1\nprint(x)"]);
  });

  it("count as failures", async () => {
    const model = new FakeModel(broken('{"code": '), broken('{"code": '), says("I cannot."));
    const { interpreter } = interpreterOf(model, new FakeRunner(), { mostCorrections: 1 });
    expect(await interpreter.ask("Go")).toMatchObject({ reason: "gave_up", executionCount: 0 });
  });
});

describe("confirmation", () => {
  it("comes before the code runs", async () => {
    const asked: string[] = [];
    const runner = new FakeRunner();
    const { interpreter } = interpreterOf(new FakeModel(calls("rm()"), says("Done.")), runner, {
      confirm: (code) => {
        asked.push(`${code} after ${runner.codes.length}`);
        return true;
      },
    });
    await interpreter.ask("Go");
    expect(asked).toEqual(["rm() after 0"]);
    expect(runner.codes).toEqual(["rm()"]);
  });

  it("declined ends the question, and the model knows", async () => {
    const model = new FakeModel(calls("rm()"), says("What else?"));
    const runner = new FakeRunner();
    const { interpreter } = interpreterOf(model, runner, { confirm: () => false });
    expect(await interpreter.ask("Go")).toMatchObject({ reason: "declined", executionCount: 0 });
    await interpreter.ask("Something else");
    expect(runner.codes).toEqual([]);
    expect(model.messages(1).at(-2)).toMatchObject({ role: "tool", text: "The user did not want this to run." });
  });

  it("with a wish lets the model write other code", async () => {
    const wishes: (boolean | string)[] = ["use pandas", true];
    const model = new FakeModel(calls("csv"), calls("pandas"), says("Done."));
    const runner = new FakeRunner();
    const { interpreter } = interpreterOf(model, runner, { confirm: () => wishes.shift() ?? false });
    expect(await interpreter.ask("Read it")).toMatchObject({ reason: "answered" });
    expect(runner.codes).toEqual(["pandas"]);
    expect(model.messages(1).at(-1)).toMatchObject({ text: "The user did not run this, but says: use pandas" });
  });
});

describe("an interrupt", () => {
  it("ends the code and the question, not the conversation", async () => {
    const model = new FakeModel(calls("while True: pass"), says("Shall I take less?"));
    let begin: () => void = () => undefined;
    const began = new Promise<void>((resolve) => (begin = resolve));
    const runner = new FakeRunner(endless(() => begin()));
    const { interpreter } = interpreterOf(model, runner);
    const answer = interpreter.ask("Go");
    await began;
    expect(await interpreter.interrupt()).toBe(true);
    expect(await answer).toMatchObject({ reason: "interrupted", executionCount: 1 });
    expect(runner.interrupts).toBe(1);
    expect(await interpreter.ask("And?")).toMatchObject({ text: "Shall I take less?" });
    expect(model.messages(1).at(-2)).toMatchObject({ role: "tool", text: expect.stringContaining("The user interrupted the code.") });
  });

  it("ends the model where no code runs, and keeps what it had begun to say", async () => {
    const model = new FakeModel(async function* (_request, signal) {
      yield { kind: "text", text: "Once upon" };
      await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true }));
    }, says("Yes?"));
    const { interpreter } = interpreterOf(model, new FakeRunner());
    const began = new Promise<void>((resolve) => interpreter.on("message", () => resolve()));
    const answer = interpreter.ask("Tell me a story");
    await began;
    await interpreter.interrupt();
    expect(await answer).toEqual({ text: "Once upon", reason: "interrupted", executionCount: 0, isCutShort: false });
    await interpreter.ask("Shorter");
    expect(model.messages(1)).toEqual([
      { role: "user", text: "Tell me a story" },
      { role: "assistant", text: "Once upon", calls: [] },
      { role: "user", text: "Shorter" },
    ]);
  });

  it("withdraws a question that waits for confirmation", async () => {
    const { interpreter } = interpreterOf(new FakeModel(calls("rm()")), new FakeRunner(), {
      confirm: () => {
        void interpreter.interrupt();
        return new Promise(() => undefined);
      },
    });
    expect(await interpreter.ask("Go")).toMatchObject({ reason: "interrupted", executionCount: 0 });
  });

  it("is of no use where nothing is being answered", async () => {
    const { interpreter } = interpreterOf(new FakeModel(), new FakeRunner());
    expect(await interpreter.interrupt()).toBe(false);
  });
});

describe("the caller's signal", () => {
  it("interrupts the code, and rejects at once", async () => {
    const controller = new AbortController();
    const runner = new FakeRunner(endless(() => controller.abort()));
    const { interpreter } = interpreterOf(new FakeModel(calls("sleep()")), runner);
    await expect(interpreter.ask("Go", { signal: controller.signal })).rejects.toMatchObject({ code: "aborted" });
    expect(runner.interrupts).toBe(1);
  });

  it("that is aborted already asks nobody", async () => {
    const model = new FakeModel(says("never"));
    const runner = new FakeRunner();
    const { interpreter } = interpreterOf(model, runner);
    await expect(interpreter.ask("Go", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(runner.codes).toEqual([]);
  });
});

describe("faults", () => {
  it("of the server pass as they are, and the conversation stays whole", async () => {
    const lost = new ExecutionClientError("connection_refused", "Nothing answers.");
    const model = new FakeModel(calls("x"), says("Hello again."));
    const runner = new FakeRunner(() => Promise.reject(lost));
    const { interpreter, told } = interpreterOf(model, runner);
    await expect(interpreter.ask("Go")).rejects.toBe(lost);
    expect(told.of("error")).toEqual([{ error: lost }]);
    await interpreter.ask("Hello?");
    expect(model.messages(1).at(-2)).toMatchObject({ role: "tool", text: "The code could not be run, or its output was lost." });
  });

  it("of the model before it said anything leave no trace of the question", async () => {
    const model = new FakeModel(new InterpreterError("model_unauthorized", "The key is wrong."), says("Hello."));
    const { interpreter } = interpreterOf(model, new FakeRunner());
    interpreter.note("A note.");
    await expect(interpreter.ask("Hi")).rejects.toMatchObject({ code: "model_unauthorized" });
    await interpreter.ask("Hi again");
    expect(model.messages(1)).toEqual([{ role: "user", text: "(A note.)\nHi again" }]);
  });

  it("of a listener end the question", async () => {
    const { interpreter } = interpreterOf(new FakeModel(says("Hi.")), new FakeRunner());
    interpreter.on("message", () => {
      throw new Error("The terminal is gone.");
    });
    await expect(interpreter.ask("Hi")).rejects.toThrow("The terminal is gone.");
  });
});

describe("figures", () => {
  const run = { artifact: [figure(), figure({ mime_type: "image/svg+xml", file_content_encoding: "str" })] };

  it("are named, and not sent as images unless that is wanted", async () => {
    const model = new FakeModel(calls("plot()"), says("See."));
    await interpreterOf(model, new FakeRunner(run)).interpreter.ask("Plot");
    expect(JSON.stringify(model.messages(1))).toContain("e-display-1_image.png");
    expect(JSON.stringify(model.messages(1))).not.toContain("base64");
  });

  it("go along as images where the model takes them", async () => {
    const model = new FakeModel(calls("plot()"), says("A line."));
    await interpreterOf(model, new FakeRunner(run), { sendImages: true }).interpreter.ask("Plot");
    expect(model.messages(1).at(-1)).toEqual({
      role: "user",
      text: "The figures that this code made:",
      images: ["data:image/png;base64,AAAA"],
    });
  });

  it("are left out where the model turns out to take none", async () => {
    const refusal = new InterpreterError("images_unsupported", "No images.");
    const model = new FakeModel(calls("plot()"), refusal, says("Done."));
    const { interpreter, told } = interpreterOf(model, new FakeRunner(run), { sendImages: true });
    expect(await interpreter.ask("Plot")).toMatchObject({ text: "Done." });
    expect(told.of("retry")).toMatchObject([{ reason: "images_unsupported" }]);
    expect(JSON.stringify(model.messages(2))).not.toContain("base64");
  });
});
