/** `taskweaver -p DIR` with a model: the chat on a terminal, one question from a pipe; without a model the console. */
import { text } from "node:stream/consumers";
import { lacksModel, loadConfigFile, resolveModelSettings, type ModelSettings } from "../../config.ts";
import { UsageError } from "../../errors.ts";
import { Display } from "../interactive/display.ts";
import { EXIT, exitCodeOf, type Terminal } from "../terminal.ts";
import { consoleCommand, greet, inSession, type ConsoleCommandOptions } from "./console.ts";

/** What the command was given. */
export interface ChatCommandOptions extends ConsoleCommandOptions {
  /** Ask before code runs. */
  confirm?: boolean;
  /** Whether the chat was asked for by name; else a missing model means the console. */
  isNamed: boolean;
}

/** Runs the chat, or asks one question; resolves with the exit code. */
export async function chatCommand(options: ChatCommandOptions, terminal: Terminal): Promise<number> {
  const file = loadConfigFile({ project: options.project, from: terminal.cwd });
  const model = resolveModelSettings(options.flags, terminal.env, file);
  if (model === null) {
    const place = file === null ? "" : `, or "llm.model" in ${file.path}`;
    const advice = `set TASKWEAVER_LLM_MODEL${place}`;
    if (options.isNamed || options.confirm === true) throw new UsageError(`No model is named to chat with: ${advice}.`);
    if (lacksModel(options.flags, terminal.env, file)) {
      terminal.stderr.write(`A model's service is configured, but no model, so this is the console; for a chat ${advice}.\n`);
    }
    return consoleCommand(options, terminal);
  }
  if (terminal.stdin.isTTY === true && terminal.stdout.isTTY === true) return chat(options, model, terminal);
  if (options.confirm === true)
    throw new UsageError("--confirm asks on a terminal, and this is none: leave it out, or start the chat there.");
  return onePipedQuestion(options, model, terminal);
}

async function chat(options: ChatCommandOptions, model: ModelSettings, terminal: Terminal): Promise<number> {
  // Loaded here only: the console needs nothing of the model's SDK.
  const { runChat } = await import("../chat/chat.ts");
  return inSession(options, terminal, new Display(terminal), async (open) => {
    const { confirm = false } = options;
    greet(open, terminal, [`Model: ${model.model} at ${model.apiBase}${confirm ? "; asks before code runs" : ""}`]);
    const signal = await runChat({ ...open, model, terminal, confirm });
    return signal === null ? EXIT.ok : exitCodeOf(signal);
  });
}

async function onePipedQuestion(options: ChatCommandOptions, model: ModelSettings, terminal: Terminal): Promise<number> {
  if (terminal.stdin.isTTY === true) terminal.stderr.write("Your question, Ctrl-D ends it:\n");
  const question = (await text(terminal.stdin)).trim();
  if (question === "") throw new UsageError("There is no question on standard input: echo 'How many ...?' | taskweaver -p DIR");
  const display = new Display({ ...terminal, stdout: terminal.stderr });
  const { askOnce } = await import("../chat/ask-once.ts");
  return inSession(options, terminal, display, ({ session }) => askOnce({ question, model, session, display, terminal }));
}
