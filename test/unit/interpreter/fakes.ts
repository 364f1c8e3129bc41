/** A model and a runner that do what a test tells them, and remember what they were told. */
import type { Artifact, ExecutionResult } from "../../../src/client/index.ts";
import {
  CodeInterpreter,
  InterpreterError,
  type CodeInterpreterOptions,
  type CodeRunner,
  type InterpreterEvents,
  type LanguageModel,
  type ModelMessage,
  type ModelRequest,
  type ReplyPart,
  type RunHandlers,
} from "../../../src/interpreter/index.ts";
import { sampleResult } from "../../helpers/sample-result.ts";

/** One reply: its parts, a fault, or something that decides. */
export type FakeReply = ReplyPart[] | InterpreterError | ((request: ModelRequest, signal: AbortSignal) => AsyncIterable<ReplyPart>);

/** Gives one reply after the other. */
export class FakeModel implements LanguageModel {
  readonly requests: ModelRequest[] = [];
  readonly #replies: FakeReply[];

  constructor(...replies: FakeReply[]) {
    this.#replies = replies;
  }

  async *reply(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ReplyPart> {
    this.requests.push(structuredClone(request));
    const reply = this.#replies.shift();
    if (reply === undefined) throw new Error("The model was asked more often than the test has replies.");
    if (reply instanceof InterpreterError) throw reply;
    if (typeof reply === "function") yield* reply(request, signal);
    else yield* reply;
  }

  /** The messages of a request, without the prompt. */
  messages(index: number): ModelMessage[] {
    return this.requests.at(index)?.messages.slice(1) ?? [];
  }
}

/** Words, as a whole reply. */
export function says(text: string, reason: "stop" | "length" = "stop"): ReplyPart[] {
  return [
    { kind: "text", text },
    { kind: "end", reason },
  ];
}

/** A call of the tool, as a whole reply. */
export function calls(...codes: string[]): ReplyPart[] {
  const parts = codes.map((code, index) => ({
    kind: "call" as const,
    id: `call-${index}`,
    name: "run_python",
    argumentsText: JSON.stringify({ code }),
  }));
  return [...parts, { kind: "end", reason: "stop" }];
}

/** What a piece of code does. */
export type FakeRun = Partial<ExecutionResult> | ((handlers: RunHandlers, runner: FakeRunner) => Promise<Partial<ExecutionResult>>);

/** Runs code as a test tells it. */
export class FakeRunner implements CodeRunner {
  readonly codes: string[] = [];
  interrupts = 0;
  /** Called at an interrupt. */
  onInterrupt: () => void = () => undefined;
  readonly #runs: FakeRun[];

  constructor(...runs: FakeRun[]) {
    this.#runs = runs;
  }

  async run(code: string, handlers: RunHandlers): Promise<ExecutionResult> {
    this.codes.push(code);
    const run = this.#runs.shift() ?? {};
    return sampleResult(typeof run === "function" ? await run(handlers, this) : run);
  }

  async interrupt(): Promise<void> {
    this.interrupts += 1;
    this.onInterrupt();
  }
}

/** A run that goes on until it is interrupted. */
export function endless(onStart: () => void): FakeRun {
  return async (_handlers, runner) => {
    const interrupted = new Promise<void>((resolve) => (runner.onInterrupt = resolve));
    onStart();
    await interrupted;
    return failed("KeyboardInterrupt", "interrupted");
  };
}

export function failed(error: string, reason: ExecutionResult["reason"] = "error"): Partial<ExecutionResult> {
  return { is_success: false, error: `Traceback (most recent call last)\n${error}`, reason };
}

export function figure(fields: Partial<Artifact> = {}): Artifact {
  return {
    name: "e-display-1",
    type: "image",
    mime_type: "image/png",
    original_name: "e-display-1_image.png",
    file_name: "e-display-1_image.png",
    file_content: "AAAA",
    file_content_encoding: "base64",
    preview: "<Figure size 640x480 with 1 Axes>",
    download_url: "http://localhost/a",
    ...fields,
  };
}

/** What an interpreter told, by name and in order. */
export interface Told {
  names: string[];
  of<Name extends keyof InterpreterEvents>(name: Name): InterpreterEvents[Name][];
}

/** An interpreter over fakes, whose waits end at once. */
export function interpreterOf(model: LanguageModel, runner: CodeRunner, options: Partial<CodeInterpreterOptions> = {}) {
  const waits: number[] = [];
  const interpreter = new CodeInterpreter({
    session: runner,
    model,
    wait: (delayMs) => {
      waits.push(delayMs);
      return Promise.resolve();
    },
    ...options,
  });
  const events: { name: keyof InterpreterEvents; data: unknown }[] = [];
  for (const name of EVENT_NAMES) interpreter.on(name, (data) => void events.push({ name, data }));
  const told: Told = {
    get names() {
      return events.map(({ name }) => name);
    },
    of: (name) => events.filter((event) => event.name === name).map(({ data }) => data as InterpreterEvents[typeof name]),
  };
  return { interpreter, told, waits };
}

const EVENT_NAMES: (keyof InterpreterEvents)[] = [
  "message",
  "code",
  "execution-start",
  "output",
  "artifact",
  "result",
  "answer",
  "retry",
  "error",
];
