/** The interpreter: a language model writes code, a session runs it, output and errors go back, until there is an answer. */
import type { ExecutionResult, ExecutionSession, InputPrompt } from "../client/index.ts";
import { sessionRunner, type CodeRunner, type RunHandlers } from "./code-runner.ts";
import { Conversation } from "./conversation.ts";
import { InterpreterError } from "./error.ts";
import { Listeners, type Answer, type AnswerReason, type InterpreterEvents, type InterpreterListener } from "./events.ts";
import { imagesOf } from "./figures.ts";
import type { LanguageModel } from "./model/language-model.ts";
import { OpenAiModel, type OpenAiModelOptions } from "./model/openai-model.ts";
import type { PluginDescription } from "./plugin-description.ts";
import { systemPrompt } from "./prompt.ts";
import { ReplyReader, type CodeProtocol } from "./reply-reader.ts";
import { resultText } from "./result-text.ts";
import { aborted, Turn, untilAborted } from "./turn.ts";
import type { AskedCode } from "./written-reply.ts";

/** What an interpreter is made of. */
export interface CodeInterpreterOptions {
  /** Where code runs. */
  session: ExecutionSession | CodeRunner;
  /** Who writes it. */
  model: OpenAiModelOptions | LanguageModel;
  /** Plugins that the session has loaded; the model is told of them. */
  plugins?: readonly PluginDescription[] | undefined;
  /** Added to what the model is told. */
  instructions?: string | undefined;
  /**
   * Asked before code runs: true runs it, false ends the turn, a text goes to the model in place of output.
   * @param signal Aborts when the question is withdrawn.
   */
  confirm?: ((code: string, signal: AbortSignal) => boolean | string | Promise<boolean | string>) | undefined;
  /** Answers `input()`; without it `input()` raises. */
  onInput?: ((request: InputPrompt, signal: AbortSignal) => string | undefined | Promise<string | undefined>) | undefined;
  /**
   * How often in a row the model may correct code that failed.
   * @default 3
   */
  mostCorrections?: number | undefined;
  /**
   * How often code may run for one question.
   * @default 20
   */
  mostExecutions?: number | undefined;
  /**
   * How the model says that code is to run: `tools` by a tool call, `fences` by a fenced block, `auto` by whatever the service can do.
   * @default "auto"
   */
  protocol?: CodeProtocol | undefined;
  /**
   * Whether figures go to the model as images; where it takes none, they are left out.
   * @default false
   */
  sendImages?: boolean | undefined;
  /**
   * How long a request may get; older output is shortened first, then left out. Where the service finds it too long, less.
   * @default 120_000
   */
  contextCharacters?: number | undefined;
  /**
   * How often a request is sent again where the service is busy or fails.
   * @default 4
   */
  retries?: number | undefined;
  /** How long each piece of code may run, of an `ExecutionSession`; the server's setting by default. */
  executionTimeoutMs?: number | undefined;
  /** Waits between two tries; a timer by default. */
  wait?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
}

const MOST_CORRECTIONS = 3;
const MOST_EXECUTIONS = 20;
const CONTEXT_CHARACTERS = 120_000;
const RETRIES = 4;
/** Of each text of a result. */
const OUTPUT_CHARACTERS = 12_000;

/** One conversation with one model about one session. */
export class CodeInterpreter {
  readonly #options: CodeInterpreterOptions;
  readonly #runner: CodeRunner;
  readonly #listeners = new Listeners();
  readonly #conversation: Conversation;
  readonly #reader: ReplyReader;
  #turn: Turn | null = null;

  /** @throws InterpreterError `invalid_option` */
  constructor(options: CodeInterpreterOptions) {
    const { session, model, plugins = [], instructions = "", executionTimeoutMs } = options;
    this.#options = options;
    this.#runner = "run" in session ? session : sessionRunner(session, { executionTimeoutMs });
    this.#conversation = new Conversation(
      (withTool) => systemPrompt({ plugins, instructions }, withTool),
      options.contextCharacters ?? CONTEXT_CHARACTERS,
      options.sendImages ?? false,
    );
    this.#reader = new ReplyReader({
      model: "reply" in model ? model : new OpenAiModel(model),
      protocol: options.protocol ?? "auto",
      retries: options.retries ?? RETRIES,
      emit: this.#listeners.emit,
      wait: options.wait,
    });
  }

  /**
   * Listens to an event.
   * @returns what ends the listening.
   */
  on<Name extends keyof InterpreterEvents>(name: Name, listener: InterpreterListener<Name>): () => void {
    return this.#listeners.add(name, listener);
  }

  /**
   * Answers a question; earlier ones are remembered.
   * @param options.signal Interrupts the code, ends the wait and rejects.
   * @throws InterpreterError for a fault of the model's side, ExecutionClientError for one of the server's.
   */
  async ask(question: string, options: { signal?: AbortSignal | undefined } = {}): Promise<Answer> {
    if (this.#turn !== null) throw new InterpreterError("busy", "A question is being answered; wait for its end, or interrupt it.");
    const turn = new Turn(options.signal);
    this.#turn = turn;
    this.#conversation.ask(question);
    try {
      await this.#listeners.emit("question", { text: question });
      const answer = await this.#answer(turn);
      this.#conversation.endTurn(NOT_RUN);
      await this.#listeners.emit("answer", answer);
      return answer;
    } catch (error) {
      const words = this.#reader.takePartialText();
      if (words !== "") this.#conversation.addReply(words, []);
      this.#conversation.endTurn(turn.isInterrupted ? "Interrupted by the user." : "The code could not be run, or its output was lost.");
      // What the model had begun to say belongs to the conversation.
      if (turn.isInterrupted && error instanceof InterpreterError && error.code === "aborted") return turn.answer("interrupted", words);
      await this.#listeners.emit("error", { error });
      throw error;
    } finally {
      turn.close();
      this.#turn = null;
    }
  }

  /**
   * Interrupts the code that runs, or else the model. The question ends with what was reached; the conversation goes on.
   * @returns false where nothing is being answered.
   */
  async interrupt(): Promise<boolean> {
    const turn = this.#turn;
    if (turn === null) return false;
    turn.isInterrupted = true;
    if (turn.isExecuting) await this.#runner.interrupt();
    else turn.abort();
    return true;
  }

  /** Tells the model something with the next question, e.g. that the kernel was restarted. */
  note(text: string): void {
    this.#conversation.note(text);
  }

  /** Begins a new conversation; the session stays as it is. */
  forget(): void {
    this.#conversation.forget();
  }

  async #answer(turn: Turn): Promise<Answer> {
    for (;;) {
      const reply = await this.#reader.read(this.#conversation, turn.signal);
      this.#conversation.addReply(
        reply.text,
        reply.calls.map(({ id, argument }) => ({ id, code: "code" in argument ? argument.code : "" })),
      );
      if (reply.calls.length === 0) return turn.answer(turn.isLast ? "gave_up" : "answered", reply.text, reply.isCutShort);
      if (turn.isLast) return turn.answer("gave_up", reply.text === "" ? GAVE_UP : reply.text);
      const ended = await this.#runAll(reply.calls, turn);
      if (ended !== null) return turn.answer(ended, reply.text);
    }
  }

  /** Runs the code of one reply, in its order and up to the first that fails; says where that ends the question. */
  async #runAll(calls: AskedCode[], turn: Turn): Promise<AnswerReason | null> {
    let hasFailed = false;
    for (const { id, argument } of calls) {
      if (hasFailed || turn.isLast) {
        this.#conversation.addOutput(id, hasFailed ? "Not run, since the code before it failed." : NOT_RUN);
        continue;
      }
      if ("problem" in argument) {
        hasFailed = true;
        await this.#fail(turn, "broken_arguments", id, argument.problem);
        continue;
      }
      const wish = await this.#confirm(argument.code, turn);
      if (wish !== true) {
        this.#conversation.addOutput(
          id,
          wish === false ? "The user did not want this to run." : `The user did not run this, but says: ${wish}`,
        );
        if (wish === false) return "declined";
        continue;
      }
      const result = await this.#execute(id, argument.code, turn);
      const text = resultText(result, OUTPUT_CHARACTERS);
      if (result.reason === "interrupted" || result.reason === "cancelled" || turn.isInterrupted) {
        this.#conversation.addOutput(id, `${text}\n\nThe user interrupted the code.`, this.#figures(result));
        return "interrupted";
      }
      if (result.is_success) {
        turn.failures = 0;
        this.#conversation.addOutput(id, this.#lastWord(turn, text), this.#figures(result));
      } else {
        hasFailed = true;
        await this.#fail(turn, "code_failed", id, text, result);
      }
    }
    return null;
  }

  async #execute(callId: string, code: string, turn: Turn): Promise<ExecutionResult> {
    await this.#listeners.emit("execution-start", { callId, code, attempt: turn.failures + 1 });
    if (turn.signal.aborted) throw aborted(turn.signal);
    turn.executionCount += 1;
    turn.isExecuting = true;
    try {
      const result = await untilAborted(this.#runner.run(code, this.#handlers(turn)), turn.signal);
      await this.#listeners.emit("result", result);
      return result;
    } catch (error) {
      // Nobody waits for it any more, so it need not go on.
      if (turn.signal.aborted) this.#runner.interrupt().catch(() => undefined);
      throw error;
    } finally {
      turn.isExecuting = false;
    }
  }

  #handlers(turn: Turn): RunHandlers {
    const { emit } = this.#listeners;
    const ifWaitedFor = (tell: () => Promise<void>) => (turn.signal.aborted ? undefined : tell());
    return {
      onOutput: (text, type) => ifWaitedFor(() => emit("output", { type, text })),
      onArtifact: (artifact) => ifWaitedFor(() => emit("artifact", artifact)),
      onInput: this.#options.onInput,
    };
  }

  async #confirm(code: string, turn: Turn): Promise<boolean | string> {
    const { confirm } = this.#options;
    if (confirm === undefined) return true;
    const wish = await untilAborted(Promise.resolve(confirm(code, turn.signal)), turn.signal);
    return typeof wish === "string" && wish.trim() === "" ? false : wish;
  }

  async #fail(
    turn: Turn,
    reason: "code_failed" | "broken_arguments",
    callId: string,
    text: string,
    result?: ExecutionResult,
  ): Promise<void> {
    turn.failures += 1;
    this.#conversation.addOutput(callId, this.#lastWord(turn, text), result === undefined ? [] : this.#figures(result));
    if (turn.isLast) return;
    const message = result?.error?.trimEnd().split("\n").at(-1) ?? text;
    await this.#listeners.emit("retry", { reason, attempt: turn.failures, delayMs: 0, message });
  }

  /** The output, with the end of the model's tries where it is reached. */
  #lastWord(turn: Turn, text: string): string {
    const { mostCorrections = MOST_CORRECTIONS, mostExecutions = MOST_EXECUTIONS } = this.#options;
    turn.isLast = turn.failures > mostCorrections || turn.executionCount >= mostExecutions;
    return turn.isLast ? `${text}\n\n${LAST_WORD}` : text;
  }

  #figures(result: ExecutionResult): string[] {
    return this.#conversation.takesImages ? imagesOf(result) : [];
  }
}

const NOT_RUN = "Not run.";
const GAVE_UP = "The code did not come to an end that answers the question.";
const LAST_WORD =
  "This was the last piece of code for this question. Run no more: tell the user what is known so far, what was tried and what stands in the way.";
