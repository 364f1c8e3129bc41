/** One question without a terminal: it comes on standard input, its answer goes to standard output, everything else to standard error. */
import type { ModelSettings } from "../../config.ts";
import type { Answer } from "../../interpreter/index.ts";
import type { ConsoleSession } from "../interactive/console-session.ts";
import type { Display } from "../interactive/display.ts";
import { EXIT, exitCodeOf, type EndSignal, type Terminal } from "../terminal.ts";
import { chatInterpreter } from "./chat-interpreter.ts";
import { Transcript } from "./transcript.ts";
import { visibleText } from "./visible-text.ts";

/** What is asked, of whom, and where it shows. */
export interface AskOnceOptions {
  question: string;
  model: ModelSettings;
  session: ConsoleSession;
  /** Of standard error. */
  display: Display;
  terminal: Terminal;
}

/** Asks; resolves with the exit code. */
export async function askOnce({ question, model, session, display, terminal }: AskOnceOptions): Promise<number> {
  const interpreter = chatInterpreter(model, session, display, {});
  const giveUp = new AbortController();
  let ended: EndSignal | null = null;
  const stopListening = terminal.onSignal((signal) => {
    // The first signal ends the code or the model in order; a second one waits for nothing.
    if (ended !== null || signal !== "SIGINT") giveUp.abort();
    else interpreter.interrupt().catch(() => giveUp.abort());
    ended ??= signal;
  });
  new Transcript({ display, executionNumber: () => session.nextNumber - 1, showsAnswer: false }).follow(interpreter);
  try {
    const answer = await interpreter.ask(question, { signal: giveUp.signal });
    if (answer.text !== "") terminal.stdout.write(`${terminal.stdout.isTTY === true ? visibleText(answer.text) : answer.text}\n`);
    return ended === null ? exitCodeOfAnswer(answer) : exitCodeOf(ended);
  } catch (error) {
    if (ended === null) throw error;
    return exitCodeOf(ended);
  } finally {
    stopListening();
  }
}

function exitCodeOfAnswer({ reason }: Answer): number {
  return { answered: EXIT.ok, gave_up: EXIT.failed, declined: EXIT.failed, interrupted: EXIT.interrupted }[reason];
}
