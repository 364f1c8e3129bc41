/** What is known of one run of a cell, built from the events of its execution. */
import type { Artifact, ExecutionEvent, ExecutionResult, ExecutionState } from "../../src/client/index.ts";
import { TerminalText } from "../output/terminal-text.ts";

/** A part of the output, in the order it came. */
export type OutputPart = { kind: "text"; id: number; text: TerminalText } | { kind: "artifact"; id: number; artifact: Artifact };

/** What the code asks for. */
export interface InputQuestion {
  prompt: string;
  password: boolean;
  /** Code that goes on writing may have had its answer from elsewhere; or a thread of it writes. */
  mayBeAnswered: boolean;
}

/** One run; events change it in place, `version` tells that they did. */
export class Run {
  readonly executionId: string;
  state: ExecutionState = "queued";
  parts: OutputPart[] = [];
  question: InputQuestion | null = null;
  result: ExecutionResult | null = null;
  version = 0;
  /** When this page first knew of it, milliseconds since the epoch. */
  readonly begunMs = Date.now();
  #answer: string | null = null;
  #partCount = 0;

  constructor(executionId: string) {
    this.executionId = executionId;
  }

  /** A run that is over, where only its result is there any more: texts first, then what was shown. */
  static ofResult(result: ExecutionResult): Run {
    const run = new Run(result.execution_id);
    for (const type of ["stdout", "stderr"] as const) {
      for (const text of result[type]) run.apply({ event: "output", data: { type, text } });
    }
    run.apply({ event: "result", data: result });
    return run;
  }

  /** Takes the state that the server says; events are newer. */
  noteState(state: ExecutionState): void {
    if (this.state === "done" || state === "done" || this.state === state || this.parts.length > 0) return;
    this.state = state;
    this.version += 1;
  }

  /** Takes the next event. */
  apply(event: ExecutionEvent): void {
    this.version += 1;
    if (this.state === "queued") this.state = "running";
    switch (event.event) {
      case "output":
        this.#write(event.data.text, event.data.type);
        break;
      case "artifact":
        this.#show(event.data);
        break;
      case "input_request":
        this.#text().write(event.data.prompt, "stdout");
        this.question = { ...event.data, mayBeAnswered: false };
        break;
      case "result":
        this.#finish(event.data);
        break;
      case "done":
        this.state = "done";
    }
  }

  /** An answer is on its way: what the code then writes may come before the word that it arrived. Null: it did not get there. */
  answering(answer: string | null): void {
    this.#answer = answer;
  }

  /** Notes an answer that was given here: a terminal would show it behind the prompt. */
  answered(answer: string): void {
    this.version += 1;
    if (this.question?.mayBeAnswered === false) this.#echo(answer, this.question.password);
    this.question = null;
    this.#answer = null;
  }

  #echo(answer: string, isPassword: boolean): void {
    this.#text().write(`${isPassword ? "••••" : answer}\n`, "input");
  }

  #write(text: string, type: "stdout" | "stderr"): void {
    if (type === "stdout" && this.question?.mayBeAnswered === false && this.#answer !== null) {
      this.#echo(this.#answer, this.question.password);
      this.question = null;
    } else if (type === "stdout" && this.question?.mayBeAnswered === false) {
      this.question = { ...this.question, mayBeAnswered: true };
      this.#text().write("\n", "input");
    }
    this.#text().write(text, type);
  }

  /** Text that follows text goes on in it, cursor and colours included. */
  #text(): TerminalText {
    const last = this.parts.at(-1);
    if (last?.kind === "text") return last.text;
    const text = new TerminalText();
    this.#add({ kind: "text", id: (this.#partCount += 1), text });
    return text;
  }

  /** A display that was there before is replaced in its place. */
  #show(artifact: Artifact): void {
    const index = this.parts.findIndex((part) => part.kind === "artifact" && part.artifact.name === artifact.name);
    const previous = this.parts[index];
    if (previous === undefined) this.#add({ kind: "artifact", id: (this.#partCount += 1), artifact });
    else this.parts = this.parts.with(index, { kind: "artifact", id: previous.id, artifact });
  }

  #add(part: OutputPart): void {
    this.parts = [...this.parts, part];
  }

  #finish(result: ExecutionResult): void {
    this.state = "done";
    this.question = null;
    this.result = result;
    const current = new Map(result.artifact.map((artifact) => [artifact.name, artifact]));
    // What was cleared meanwhile is not in the result, and what overflowed was never an event.
    this.parts = this.parts.filter((part) => part.kind === "text" || current.has(part.artifact.name));
    for (const artifact of result.artifact) this.#show(artifact);
  }
}
