/** What an interpreter tells while it works: names, data, and who listens. */
import type { Artifact, ExecutionResult } from "../client/index.ts";
import type { InterpreterFaultCode } from "./error.ts";

/** How a question ended. */
export type AnswerReason =
  /** The model gave its answer. */
  | "answered"
  /** The code kept failing, or there was too much of it; the text says what stands in the way. */
  | "gave_up"
  /** The code or the model was interrupted. */
  | "interrupted"
  /** The user did not want the code to run. */
  | "declined";

/** What came of a question. */
export interface Answer {
  /** The model's last words. */
  text: string;
  reason: AnswerReason;
  /** How often code was run for it. */
  executionCount: number;
  /** Whether the service cut the text at its length limit. */
  isCutShort: boolean;
}

/** The events by name. */
export interface InterpreterEvents {
  /** A question goes to the model. */
  question: { text: string };
  /** A piece of the model's words, as they are written: what it is going to do, or its answer. */
  message: { text: string };
  /** A piece of code, as it is written; at last the whole of it, with `isComplete`. */
  code: { callId: string; text: string; code: string; isComplete: boolean };
  /** Code begins to run. `attempt` counts from 1 and goes up while the code before it failed. */
  "execution-start": { callId: string; code: string; attempt: number };
  output: { type: "stdout" | "stderr"; text: string };
  /** A display that updates itself comes again, with the same `display_id`. */
  artifact: Artifact;
  /** The end of an execution; code that failed has `is_success: false`. */
  result: ExecutionResult;
  answer: Answer;
  /**
   * Something is tried again: the model corrects its code (`code_failed`, `broken_arguments`), or the service is asked once more; then
   * the pieces of `message` and `code` since the last complete one are void.
   */
  retry: { reason: RetryReason; attempt: number; delayMs: number; message: string };
  /** The question could not be answered; `ask` rejects with the same. */
  error: { error: unknown };
}

/** Why something is tried again. */
export type RetryReason = InterpreterFaultCode | "code_failed" | "broken_arguments";

/** Told of one kind of event. A returned promise is waited for; what is thrown ends the question and rejects it. */
export type InterpreterListener<Name extends keyof InterpreterEvents> = (data: InterpreterEvents[Name]) => void | Promise<void>;

/** Tells an event, and waits for who listens. */
export type Emit = <Name extends keyof InterpreterEvents>(name: Name, data: InterpreterEvents[Name]) => Promise<void>;

/** Who listens to what. */
export class Listeners {
  readonly #byName = new Map<string, Set<(data: never) => void | Promise<void>>>();

  /** @returns what ends the listening. */
  add<Name extends keyof InterpreterEvents>(name: Name, listener: InterpreterListener<Name>): () => void {
    const listeners = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  readonly emit: Emit = async (name, data) => {
    for (const listener of this.#byName.get(name) ?? []) await (listener as InterpreterListener<typeof name>)(data);
  };
}
