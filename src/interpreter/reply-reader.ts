/** Gets one whole reply from the model: shown as it is written, asked for again where it fails in passing, by tool or by fenced code. */
import { Backoff, pause } from "../client/waiting.ts";
import type { Conversation } from "./conversation.ts";
import { InterpreterError } from "./error.ts";
import type { Emit } from "./events.ts";
import { codeInText } from "./model/code-in-text.ts";
import { cutFault } from "./model/faults.ts";
import type { LanguageModel, ReplyPart } from "./model/language-model.ts";
import { aborted } from "./turn.ts";
import { newCallId, WrittenReply, type AskedCode } from "./written-reply.ts";

/** A reply, read to its end. */
export interface Reply {
  text: string;
  calls: AskedCode[];
  /** Whether the service cut it at its length limit. */
  isCutShort: boolean;
}

/** How the model says that code is to run: by a tool call, by a fenced block, or as it turns out. */
export type CodeProtocol = "auto" | "tools" | "fences";

/** What a reader needs. */
export interface ReplyReaderOptions {
  model: LanguageModel;
  protocol: CodeProtocol;
  /** How often a request is sent again. */
  retries: number;
  emit: Emit;
  /** Waits between two tries. */
  wait?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
}

const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 16_000;
/** Who is told to wait longer than this is better told so. */
const MOST_RETRY_AFTER_MS = 60_000;

/** Reads replies; remembers what the service can do. */
export class ReplyReader {
  readonly #options: ReplyReaderOptions;
  readonly #wait: (delayMs: number, signal: AbortSignal) => Promise<void>;
  #withTool: boolean;
  /** Whether the service has ever called the tool: only then is fenced code surely meant for the reader. */
  #hasCalled = false;
  /** Replies in a row that ended well but for the mark of the end, which some services leave out. */
  #endless = 0;
  /** What was written of the reply so far. */
  #text = "";

  constructor(options: ReplyReaderOptions) {
    this.#options = options;
    this.#withTool = options.protocol !== "fences";
    this.#wait = options.wait ?? pause;
  }

  /** What the model had written when it was interrupted; empty where its reply was read to the end. */
  takePartialText(): string {
    const text = this.#text.trim();
    this.#text = "";
    return text;
  }

  /** @throws InterpreterError when it fails for good. */
  async read(conversation: Conversation, signal: AbortSignal): Promise<Reply> {
    const backoff = new Backoff(FIRST_RETRY_MS, MOST_RETRY_MS);
    for (let attempt = 1; ;) {
      let fault: InterpreterError;
      try {
        return await this.#readOnce(conversation, signal);
      } catch (error) {
        if (signal.aborted) throw aborted(signal);
        if (!(error instanceof InterpreterError)) throw error;
        fault = error;
      }
      const { code: reason, message } = fault;
      if (this.#adapt(fault, conversation)) {
        await this.#options.emit("retry", { reason, attempt, delayMs: 0, message });
        continue;
      }
      if (!fault.isPassing || attempt > this.#options.retries) throw fault;
      const delayMs = fault.retryAfterMs ?? backoff.nextMs();
      if (delayMs > MOST_RETRY_AFTER_MS) throw toldToWait(fault, delayMs);
      await this.#options.emit("retry", { reason, attempt, delayMs, message });
      await this.#pause(delayMs, signal);
      attempt += 1;
    }
  }

  /** Whether the same question can be put in another way. */
  #adapt({ code }: InterpreterError, conversation: Conversation): boolean {
    if (code === "tools_unsupported" && this.#withTool && this.#options.protocol === "auto") {
      this.#withTool = false;
      return true;
    }
    if (code === "images_unsupported" && conversation.takesImages) {
      conversation.dropImages();
      return true;
    }
    return code === "context_too_long" && conversation.shrink(this.#withTool);
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#wait(delayMs, signal);
    } catch (error) {
      throw signal.aborted ? aborted(signal) : error;
    }
  }

  async #readOnce(conversation: Conversation, signal: AbortSignal): Promise<Reply> {
    const { model } = this.#options;
    const messages = conversation.messages(this.#withTool);
    this.#text = "";
    const written = new WrittenReply(
      this.#withTool,
      async (text) => {
        this.#text += text;
        await this.#options.emit("message", { text });
      },
      this.#options.emit,
    );
    let end: Extract<ReplyPart, { kind: "end" }> | null = null;
    for await (const part of model.reply({ messages, withTool: this.#withTool }, signal)) {
      if (part.kind === "end") end = part;
      else await written.take(part);
      signal.throwIfAborted();
      // What a model writes behind its code is a guess at the output.
      if (written.isComplete) end = { kind: "end", reason: "stop" };
      if (end !== null) break;
    }
    signal.throwIfAborted();
    await written.finish();
    this.#checkEnd(end, written);
    const calls = await written.calls(end?.reason === "length");
    if (this.#withTool && calls.length > 0) this.#hasCalled = true;
    const reply = { text: this.takePartialText(), calls, isCutShort: end?.reason === "length" };
    return this.#hasCalled || !this.#withTool || calls.length > 0 || this.#options.protocol === "tools"
      ? reply
      : this.#withCodeInText(reply);
  }

  #checkEnd(end: { reason: string } | null, written: WrittenReply): void {
    if (end?.reason === "filtered") {
      throw new InterpreterError("content_filtered", "The model's service withheld its answer: put the question in another way.");
    }
    const isEmpty = this.#text.trim() === "" && written.isEmpty;
    this.#endless = end === null && !isEmpty ? this.#endless + 1 : 0;
    if (end === null && this.#endless < 2) throw cutFault(null);
    if (isEmpty) {
      throw new InterpreterError("model_silent", "The model answered with nothing: ask again, or take another model.", { isPassing: true });
    }
  }

  /** A service that drops the tool without a word leaves the model with nothing but text to write code in. */
  async #withCodeInText(reply: Reply): Promise<Reply> {
    const found = codeInText(reply.text);
    if (found === null) return reply;
    this.#withTool = false;
    const id = newCallId();
    await this.#options.emit("code", { callId: id, text: found.code, code: found.code, isComplete: true });
    return { ...reply, text: found.before, calls: [{ id, argument: { code: found.code } }] };
  }
}

function toldToWait(fault: InterpreterError, delayMs: number): InterpreterError {
  const seconds = Math.ceil(delayMs / 1000);
  return new InterpreterError(fault.code, `${fault.message.replace(/[.:]?$/, "")}; it asks to come back in ${seconds} s.`, {
    cause: fault,
    statusCode: fault.statusCode,
    retryAfterMs: delayMs,
  });
}
