/** A language model behind an OpenAI-compatible service, by the official SDK: one streaming chat completion for each reply. */
import { AzureOpenAI, OpenAI } from "openai";
import { CODE_TOOL, type LanguageModel, type ModelMessage, type ModelRequest, type ReplyPart } from "./language-model.ts";
import { InterpreterError } from "../error.ts";
import { untilAborted } from "../turn.ts";
import { ReplyClock } from "./reply-clock.ts";
import { ToolCallIds } from "./tool-call-ids.ts";
import { faultOf } from "./faults.ts";

/** Which model, and where. */
export interface OpenAiModelOptions {
  /** The model's name; of `azure`, the deployment's. */
  model: string;
  /** @default "https://api.openai.com/v1" */
  apiBase?: string | undefined;
  /** Sent as a bearer token (of `azure`: as `api-key`); without one, none is sent. */
  apiKey?: string | null | undefined;
  /**
   * `azure` differs in its paths and its header; everything else is `openai`.
   * @default "openai"
   */
  apiType?: "openai" | "azure" | undefined;
  /**
   * Of `azure` only.
   * @default "2024-06-01"
   */
  azureApiVersion?: string | undefined;
  /**
   * How long the model may say nothing, before its first word as between two.
   * @default 300_000
   */
  timeoutMs?: number | undefined;
  /** Another `fetch`, e.g. through a proxy. */
  fetch?: typeof fetch | undefined;
}

const OPENAI_BASE = "https://api.openai.com/v1";
const TIMEOUT_MS = 300_000;
/** A reply is complete; what may follow it is only the stream's own end. */
const AFTER_END_MS = 1_000;

type ChatMessage = OpenAI.Chat.Completions.ChatCompletionMessageParam;
type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk;
type Delta = OpenAI.Chat.Completions.ChatCompletionChunk.Choice.Delta;

/** Asks the service; repeats nothing by itself. */
export class OpenAiModel implements LanguageModel {
  /** The service's address. */
  readonly apiBase: string;
  readonly #model: string;
  readonly #apiKey: string | null;
  readonly #timeoutMs: number;
  readonly #client: OpenAI;

  /** @throws InterpreterError `invalid_option` */
  constructor(options: OpenAiModelOptions) {
    this.apiBase = (options.apiBase ?? OPENAI_BASE).replace(/\/+$/, "");
    this.#model = options.model;
    this.#apiKey = options.apiKey ?? null;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    if (options.model === "") throw new InterpreterError("invalid_option", "Name the model (llm.model).");
    if (!URL.canParse(this.apiBase)) throw new InterpreterError("invalid_option", `${this.apiBase} is no URL (llm.api_base).`);
    this.#client = this.#newClient(options);
  }

  async *reply(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ReplyPart> {
    const clock = new ReplyClock(signal, this.#timeoutMs);
    const ids = new ToolCallIds();
    let end: ReplyPart | null = null;
    try {
      const stream = await this.#client.chat.completions.create(
        {
          model: this.#model,
          messages: request.messages.map(chatMessage),
          stream: true,
          ...(request.withTool ? { tools: [{ type: "function" as const, function: { ...CODE_TOOL } }] } : {}),
        },
        { signal: clock.signal },
      );
      for await (const chunk of untilSilent(stream, clock.signal)) {
        clock.restart(this.#timeoutMs);
        yield* partsOf(chunk, ids);
        end ??= endOf(chunk);
        if (end !== null) clock.restart(AFTER_END_MS);
      }
    } catch (error) {
      if (end === null) throw faultOf(error, { apiBase: this.apiBase, model: this.#model, apiKey: this.#apiKey, request, clock });
    } finally {
      clock.stop();
    }
    if (end !== null) yield end;
  }

  /** Everything is said here, so that no variable of the environment sends a key, or an organization's name, to another service. */
  #newClient(options: OpenAiModelOptions): OpenAI {
    const common = {
      apiKey: this.#apiKey ?? "none",
      adminAPIKey: null,
      ...(this.apiBase === OPENAI_BASE ? {} : { organization: null, project: null }),
      defaultHeaders: this.#apiKey === null ? { Authorization: null } : {},
      maxRetries: 0,
      // The clock of each reply is shorter.
      timeout: this.#timeoutMs + 60_000,
      logLevel: "off" as const,
      ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    };
    if (options.apiType !== "azure") return new OpenAI({ ...common, baseURL: this.apiBase });
    return new AzureOpenAI({ ...common, baseURL: `${this.apiBase}/openai`, apiVersion: options.azureApiVersion ?? "2024-06-01" });
  }
}

/** The SDK ends quietly where it was told to stop, and not at all where a `fetch` of the caller's does not heed the signal. */
async function* untilSilent(stream: AsyncIterable<Chunk> & { controller: AbortController }, signal: AbortSignal): AsyncGenerator<Chunk> {
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await untilAborted(chunks.next(), signal);
      signal.throwIfAborted();
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    stream.controller.abort();
  }
}

function* partsOf(chunk: Chunk, ids: ToolCallIds): Generator<ReplyPart> {
  // Services differ in what they leave out; the SDK's types do not know.
  const delta: Partial<Delta> | undefined = chunk.choices?.[0]?.delta;
  if (typeof delta?.content === "string" && delta.content !== "") yield { kind: "text", text: delta.content };
  for (const call of delta?.tool_calls ?? []) {
    const name = call.function?.name ?? "";
    yield { kind: "call", id: ids.idOf(call), name, argumentsText: call.function?.arguments ?? "" };
  }
}

function endOf(chunk: Chunk): ReplyPart | null {
  const reason = chunk.choices?.[0]?.finish_reason;
  if (reason === null || reason === undefined) return null;
  return { kind: "end", reason: reason === "length" ? "length" : reason === "content_filter" ? "filtered" : "stop" };
}

function chatMessage(message: ModelMessage): ChatMessage {
  if (message.role === "system") return { role: "system", content: message.text };
  if (message.role === "tool") return { role: "tool", tool_call_id: message.callId, content: message.text };
  if (message.role === "user") {
    const images = message.images ?? [];
    if (images.length === 0) return { role: "user", content: message.text };
    const parts = images.map((url) => ({ type: "image_url" as const, image_url: { url } }));
    return { role: "user", content: [{ type: "text", text: message.text }, ...parts] };
  }
  if (message.calls.length === 0) return { role: "assistant", content: message.text };
  return {
    role: "assistant",
    content: message.text === "" ? null : message.text,
    tool_calls: message.calls.map(({ id, code }) => ({
      id,
      type: "function",
      // Made anew: some services fail on a history with arguments that are no JSON.
      function: { name: CODE_TOOL.name, arguments: JSON.stringify({ code }) },
    })),
  };
}
