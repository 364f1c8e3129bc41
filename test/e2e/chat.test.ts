/** `taskweaver -p DIR` with a model: the chat in a terminal, one question by a pipe, and what is said when something is missing. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { freePort } from "../helpers/container-service.ts";
import { fails, runs, says, ScriptedModel, type ScriptedReply } from "../helpers/scripted-model.ts";
import { runCli, startCli, type CliProcess } from "./cli-process.ts";
import { useProject } from "./project-fixture.ts";

const shared = useProject();
const { folder, project } = shared;

/** Nothing of the model that whoever runs the tests may have configured. */
const NO_MODEL = { TASKWEAVER_LLM_MODEL: "", TASKWEAVER_LLM_API_BASE: "", TASKWEAVER_LLM_API_KEY: "", OPENAI_API_KEY: "" };

function environmentOf(model: ScriptedModel): Record<string, string> {
  return { ...NO_MODEL, TASKWEAVER_LLM_MODEL: "scripted", TASKWEAVER_LLM_API_BASE: model.apiBase, TASKWEAVER_LLM_API_KEY: "secret-key" };
}

async function askByPipe(question: string, ...replies: ScriptedReply[]) {
  await using model = await ScriptedModel.start(...replies);
  const result = await runCli(["-p", project, "--port", String(shared.server.port)], {
    cwd: folder,
    input: question,
    env: environmentOf(model),
  });
  return { ...result, requests: model.requests };
}

describe("by a pipe", () => {
  test("one question is answered on standard output, with code and output on standard error", async () => {
    const { exitCode, stdout, stderr, requests } = await askByPipe(
      "What is 6 times 7?\n",
      runs("print('working')\n6 * 7", "I multiply."),
      says("It is 42."),
    );
    expect(stdout).toBe("It is 42.\n");
    expect(stderr).toMatch(/I multiply\.\n {2}\| print\('working'\)\n {2}\| 6 \* 7\nworking\nOut\[1\]: 42\n/);
    expect(exitCode).toBe(0);
    expect(requests[0]?.body.messages.at(-1)).toEqual({ role: "user", content: "What is 6 times 7?" });
    expect(await shared.server.client.listSessions()).toEqual([]);
  });

  test("the model is offered the project's plugins, and its code can call them", async () => {
    const { stdout, requests } = await askByPipe("Smooth", runs("moving_average([1, 3], 2)"), says("Done."));
    expect(stdout).toBe("Done.\n");
    expect(JSON.stringify(requests[0]?.body.messages[0])).toContain("def moving_average(values: list, window: int = ...) -> list:");
    expect(JSON.stringify(requests[1]?.body.messages.at(-1))).toContain("[1.0, 2.0]");
  });

  test("code that keeps failing ends with 1, and the model's own words", async () => {
    const { exitCode, stdout } = await askByPipe("Try", ...[1, 2, 3, 4].map(() => runs("1 / 0")), says("It cannot be done."));
    expect([exitCode, stdout]).toEqual([1, "It cannot be done.\n"]);
  });

  test("code cannot ask anybody, and is told so", async () => {
    const { stdout, requests } = await askByPipe("Ask me", runs("input('who? ')"), says("Nobody is there."));
    expect(stdout).toBe("Nobody is there.\n");
    expect(JSON.stringify(requests[1]?.body.messages.at(-1))).toContain("StdinNotImplementedError");
  });

  test.each([
    [401, "Wrong", /refuses the key \(401\): correct llm\.api_key \(TASKWEAVER_LLM_API_KEY\)\.\n$/],
    [404, "The model `scripted` does not exist", /has no model "scripted": correct llm\.model\.\n$/],
  ])("an answer of %i is one sentence and 1", async (status, message, sentence) => {
    const { exitCode, stdout, stderr } = await askByPipe("Hi", fails(status, message));
    expect([exitCode, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(sentence);
    expect(stderr).not.toContain("secret-key");
  });
});

describe("what is missing", () => {
  const run = (args: string[], env: Record<string, string>, input = "1 + 1\n") =>
    runCli(args, { cwd: folder, input, env: { ...NO_MODEL, ...env } });
  const here = () => ["-p", project, "--port", String(shared.server.port)];

  test("a model: it is the console, as ever", async () => {
    const { exitCode, stdout } = await run(here(), {});
    expect([exitCode, stdout]).toEqual([0, "Out[1]: 2\n"]);
  });

  test("a model where a service is configured: the console says so", async () => {
    const { stdout, stderr } = await run(here(), { TASKWEAVER_LLM_API_BASE: "http://localhost:1/v1" });
    expect(stdout).toBe("Out[1]: 2\n");
    expect(stderr).toMatch(/so this is the console; for a chat set TASKWEAVER_LLM_MODEL, or "llm\.model" in .*taskweaver_config\.json\.\n/);
  });

  test("a model where the chat was called by name: a sentence and 2", async () => {
    const { exitCode, stderr } = await run(["-p", project, "chat", "--port", String(shared.server.port)], {});
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^taskweaver: No model is named to chat with: set TASKWEAVER_LLM_MODEL/);
  });

  test("a key: a sentence and 2", async () => {
    const { exitCode, stderr } = await run(here(), { TASKWEAVER_LLM_MODEL: "gpt" });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^taskweaver: There is no key for the model's service at https:\/\/api\.openai\.com\/v1: set TASKWEAVER_LLM_API_KEY/,
    );
  });

  test("a question, or a terminal to confirm on: a sentence and 2", async () => {
    const env = { TASKWEAVER_LLM_MODEL: "m", TASKWEAVER_LLM_API_BASE: "http://localhost:1/v1" };
    const [silent, blind] = await Promise.all([run(here(), env, "\n"), run([...here(), "--confirm"], env)]);
    expect([silent.exitCode, blind.exitCode]).toEqual([2, 2]);
    expect(silent.stderr).toContain("There is no question on standard input");
    expect(blind.stderr).toContain("--confirm asks on a terminal");
  });

  test("the service itself: a sentence and 1", async () => {
    const apiBase = `http://127.0.0.1:${await freePort()}/v1`;
    const { exitCode, stderr } = await run(here(), { TASKWEAVER_LLM_MODEL: "m", TASKWEAVER_LLM_API_BASE: apiBase }, "Hi");
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`taskweaver: Nothing answers at ${apiBase}: start the model's service, or correct llm.api_base.\n`);
  });
});

describe("in a terminal", () => {
  async function chat(
    replies: ScriptedReply[],
    use: (cli: CliProcess, model: ScriptedModel) => Promise<void>,
    ...args: string[]
  ): Promise<void> {
    await using model = await ScriptedModel.start(...replies);
    const options = { cwd: folder, inTerminal: true, env: environmentOf(model) };
    const cli = startCli(["-p", project, "--port", String(shared.server.port), ...args], options);
    try {
      await cli.saw(/Model: scripted at http[^]*you> /);
      await use(cli, model);
    } finally {
      cli.kill("SIGKILL");
      await cli.exited;
    }
  }

  test("code is shown before it runs, then its output, then the answer; Ctrl-D leaves and ends the session", async () => {
    await chat([runs("print('out' + 'put')\n20 + 1", "I add."), says("It is 21.")], async (cli) => {
      cli.write("What is 20 (plus 1?\r");
      await cli.saw(/I add\.\r\n {2}\| print\('out' \+ 'put'\)\r\n {2}\| 20 \+ 1\r\noutput\r\nOut\[1\]: 21\r\nIt is 21\.[^]*you> /);
      cli.write("\u0004");
      expect(await cli.exited).toBe(0);
      expect(await shared.server.client.listSessions()).toEqual([]);
    });
  });

  test("faulty code is corrected before the user's eyes", async () => {
    await chat([runs("1 / 0"), runs("1"), says("One.")], async (cli) => {
      cli.write("Go\r");
      await cli.saw(/\| 1 \/ 0\r\nZeroDivisionError: division by zero\r\n\(correcting it, attempt 1\)\r\n {2}\| 1\r\nOut\[2\]: 1\r\nOne\./);
    });
  });

  test("Ctrl-C interrupts the code and not the chat; twice at the prompt it ends", async () => {
    const sleep = "import time; print('o' + 'n', flush=True); time.sleep(600)";
    await chat([runs(sleep), says("Still here.")], async (cli) => {
      cli.write("Sleep\r");
      await cli.saw(/\non\r\n/);
      cli.write("\u0003");
      await cli.saw(/KeyboardInterrupt[^]*Interrupted; the chat goes on\.[^]*you> /);
      cli.write("Are you there?\r");
      await cli.saw(/Still here\.[^]*you> /);
      cli.write("\u0003");
      await cli.saw(/Ctrl-C once more[^]*you> /);
      cli.write("\u0003");
      expect(await cli.exited).toBe(0);
    });
  });

  test("Ctrl-C interrupts the model where no code runs", async () => {
    const forever: ScriptedReply = (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"choices":[{"index":0,"delta":{"content":"Once upon"},"finish_reason":null}]}\n\n');
    };
    await chat([forever, says("Fine.")], async (cli) => {
      cli.write("A story\r");
      await cli.saw(/Once upon/);
      cli.write("\u0003");
      await cli.saw(/Interrupted; the chat goes on\.[^]*you> /);
      cli.write("Shorter\r");
      await cli.saw(/Fine\.[^]*you> /);
    });
  });

  test("--confirm asks first: no runs nothing, words change it, yes runs it", async () => {
    const marker = (name: string) => runs(`open(${JSON.stringify(join(folder, name))}, 'w').close()`);
    const replies = [marker("refused"), marker("first"), marker("second"), says("Done.")];
    await chat(
      replies,
      async (cli, model) => {
        cli.write("Go\r");
        await cli.saw(/refused[^]*Run this\? .*: /);
        cli.write("n\r");
        await cli.saw(/Not run; say what to do instead\.[^]*you> /);
        cli.write("Another\r");
        await cli.saw(/first[^]*Run this\? .*: /);
        cli.write("name it second\r");
        await cli.saw(/second[^]*Run this\? .*: /);
        expect(model.lastText).toBe("The user did not run this, but says: name it second");
        cli.write("y\r");
        await cli.saw(/Done\.[^]*you> /);
        expect(["refused", "first", "second"].map((name) => existsSync(join(folder, name)))).toEqual([false, false, true]);
      },
      "--confirm",
    );
  });

  test("code's own questions are answered by the user", async () => {
    await chat([runs("'hello ' + input('who? ')"), says("Met.")], async (cli, model) => {
      cli.write("Greet\r");
      await cli.saw(/\r?\nwho\? |\rwho\? |Jwho\? /);
      cli.write("Ada\r");
      await cli.saw(/Met\.[^]*you> /);
      expect(model.lastText).toBe("value:\nhello Ada");
    });
  });

  test("the console's commands work, and the model learns what they did", async () => {
    writeFileSync(join(folder, "data.csv"), "a\n1\n");
    await chat([runs("x = 3"), says("Set."), says("Seen."), says("New.")], async (cli, model) => {
      cli.write("Set x\r");
      await cli.saw(/Set\.[^]*you> /);
      cli.write("/vars\r");
      await cli.saw(/x = 3[^]*you> /);
      cli.write("/load data.csv\r");
      await cli.saw(/data\.csv, 4 bytes[^]*you> /);
      cli.write("/restart\r");
      await cli.saw(/fresh kernel\.[^]*you> /);
      cli.write("Look\r");
      await cli.saw(/Seen\.[^]*you> /);
      expect(model.lastText).toMatch(/put the file "data\.csv" into[^]*restarted the kernel[^]*\nLook$/);
      cli.write("/clear\r");
      await cli.saw(/forgotten[^]*you> /);
      cli.write("Hello\r");
      await cli.saw(/New\.[^]*you> /);
      expect(model.requests.at(-1)?.body.messages).toHaveLength(2);
      cli.write("/help\r");
      await cli.saw(/\/clear [^]*\/restart [^]*Everything else is for the model/);
      cli.write("/exit\r");
      expect(await cli.exited).toBe(0);
    });
  });

  test("neither the terminal nor the reader is fooled by what a model writes", async () => {
    await chat([runs("x = 1 # \u001B[2K\u202Eevil"), says("\u001B]0;title\u0007Done.")], async (cli) => {
      cli.write("Go\r");
      await cli.saw(/\| x = 1 # \\u\{1b\}\[2K\\u\{202e\}evil[^]*\\u\{1b\}\]0;title\\u\{7\}Done\./);
      expect(cli.stdout).not.toContain("\u202E");
    });
  });

  test("a fault is one sentence, and the chat goes on", async () => {
    await chat([fails(401, "No"), says("Back.")], async (cli) => {
      cli.write("Hi\r");
      await cli.saw(/refuses the key \(401\)[^]*you> /);
      cli.write("Hi again\r");
      await cli.saw(/Back\.[^]*you> /);
    });
  });

  test("there are no colours under NO_COLOR, and the key is in no history", async () => {
    await chat([runs("1"), says("One.")], async (cli) => {
      cli.write("Go\r");
      await cli.saw(/One\.[^]*you> /);
      for (const style of ["1", "2", "31", "32", "33", "36"]) expect(cli.stdout).not.toContain(`\u001B[${style}m`);
      expect(readFileSync(join(folder, ".state/taskweaver/chat-history.jsonl"), "utf8")).not.toContain("secret-key");
    });
  });
});
