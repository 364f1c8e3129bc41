/** How the chat looks: code as it runs, words held back where they may be the answer, hidden characters made visible. */
import { PassThrough } from "node:stream";
import { describe, expect, it, test } from "vitest";
import { Transcript } from "../../../../src/cli/chat/transcript.ts";
import { visibleText } from "../../../../src/cli/chat/visible-text.ts";
import { Display } from "../../../../src/cli/interactive/display.ts";
import type { Terminal } from "../../../../src/cli/terminal.ts";
import { InterpreterError } from "../../../../src/interpreter/index.ts";
import { calls, failed, FakeModel, FakeRunner, interpreterOf, says } from "../../interpreter/fakes.ts";

/** What one question writes. */
async function written(model: FakeModel, runner: FakeRunner, showsAnswer = true, env: Terminal["env"] = {}): Promise<string> {
  const stdout = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY: true });
  const terminal = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), env, cwd: "/", onSignal: () => () => undefined };
  const { interpreter } = interpreterOf(model, runner);
  new Transcript({ display: new Display(terminal), executionNumber: () => 1, showsAnswer }).follow(interpreter);
  await interpreter.ask("Go");
  return String(stdout.read() ?? "");
}

const PLAIN = { NO_COLOR: "1" };

describe("a transcript", () => {
  it("has code with a margin, its output, its value, the answer", async () => {
    const runner = new FakeRunner(async (handlers) => {
      await handlers.onOutput("no line break", "stdout");
      return { output: 3 };
    });
    const model = new FakeModel([{ kind: "text", text: "I add." }, ...calls("x = 1\n\nx + 2")], says("Three."));
    expect(await written(model, runner, true, PLAIN)).toBe("I add.\n  | x = 1\n  | \n  | x + 2\nno line break\nOut[1]: 3\nThree.\n");
  });

  it("shows the code of each call again right before its output, where several were written at once", async () => {
    const model = new FakeModel(calls("a", "b"), says("Done."));
    const runner = new FakeRunner({ output: 1 }, { output: 2 });
    expect(await written(model, runner, true, PLAIN)).toBe("  | a\n  | b\n  | a\nOut[1]: 1\n  | b\nOut[1]: 2\nDone.\n");
  });

  it("has the last line of an error, and that it is corrected", async () => {
    const model = new FakeModel(calls("1 / 0"), calls("1"), says("One."));
    const text = await written(model, new FakeRunner(failed("ZeroDivisionError: division by zero")), true, PLAIN);
    expect(text).toBe("  | 1 / 0\nZeroDivisionError: division by zero\n(correcting it, attempt 1)\n  | 1\nOne.\n");
  });

  it("says why the service is asked again, and when", async () => {
    const busy = new InterpreterError("model_busy", "Too much to do.", { isPassing: true, retryAfterMs: 3000 });
    expect(await written(new FakeModel(busy, says("Here.")), new FakeRunner(), true, PLAIN)).toBe(
      "Too much to do. (Asking again in 3 s.)\nHere.\n",
    );
  });

  it("without the answer has only words that code follows", async () => {
    const model = new FakeModel([{ kind: "text", text: "I add." }, ...calls("1")], says("The answer."));
    expect(await written(model, new FakeRunner(), false, PLAIN)).toBe("I add.\n  | 1\n");
  });

  it("in colour says that it waits, and takes that back", async () => {
    const text = await written(new FakeModel(says("Hi.")), new FakeRunner());
    expect(text).toBe("\u001B[2m...\u001B[0m\r\u001B[KHi.\n");
  });
});

test.each([
  ["plain\ttext\n", "plain\ttext\n"],
  ["a\r\nb", "a\nb"],
  ["\u001B[31mred", "\\u{1b}[31mred"],
  ["over\rwritten", "over\\u{d}written"],
  ["\u202Etxt.exe", "\\u{202e}txt.exe"],
  ["zero\u200Bwidth", "zero\\u{200b}width"],
  ["äöü 漢字 😀 👩\u200D👧", "äöü 漢字 😀 👩\u200D👧"],
])("%j is shown as %j", (text, expected) => {
  expect(visibleText(text)).toBe(expected);
});
