/** What goes over the wire to an OpenAI-compatible service, and what its answers and failures become. */
import { describe, expect, it, test } from "vitest";
import {
  InterpreterError,
  OpenAiModel,
  type ModelMessage,
  type OpenAiModelOptions,
  type ReplyPart,
} from "../../../src/interpreter/index.ts";

const MESSAGES: ModelMessage[] = [
  { role: "system", text: "prompt" },
  { role: "user", text: "question", images: ["data:image/png;base64,AAAA"] },
  { role: "assistant", text: "", calls: [{ id: "c", code: 'print("x")' }] },
  { role: "tool", callId: "c", text: "x" },
  { role: "assistant", text: "answer", calls: [] },
];

interface Seen {
  url: string;
  headers: Headers;
  body: Record<string, unknown>;
}

type FakeFetch = NonNullable<OpenAiModelOptions["fetch"]>;

function modelOf(answer: Response | Error | ((signal: AbortSignal) => Promise<Response>), options: Partial<OpenAiModelOptions> = {}) {
  const seen: Seen[] = [];
  const fetch: FakeFetch = async (url, init) => {
    const { href } = new URL(url as string);
    seen.push({ url: href, headers: new Headers(init?.headers), body: JSON.parse(init?.body as string) as Seen["body"] });
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(init?.signal as AbortSignal) : answer;
  };
  const model = new OpenAiModel({ model: "m", apiBase: "http://localhost:1234/v1", fetch, ...options });
  const ask = async (withTool = true, messages = MESSAGES, signal = new AbortController().signal): Promise<ReplyPart[]> => {
    const parts: ReplyPart[] = [];
    for await (const part of model.reply({ messages, withTool }, signal)) parts.push(part);
    return parts;
  };
  return { ask, seen };
}

function stream(...events: unknown[]): Response {
  const body = events.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("");
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function chunk(delta: unknown, finishReason: string | null = null) {
  return { choices: [{ index: 0, delta, finish_reason: finishReason }] };
}

function failure(status: number, error: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ error }), { status, headers: { "content-type": "application/json", ...headers } });
}

const DONE = [chunk({ content: "Hi" }), chunk({}, "stop"), "[DONE]"];

describe("a request", () => {
  it("is a streaming chat completion with the tool", async () => {
    const { ask, seen } = modelOf(stream(...DONE), { apiKey: "secret" });
    await ask();
    expect(seen[0]?.url).toBe("http://localhost:1234/v1/chat/completions");
    expect(seen[0]?.headers.get("authorization")).toBe("Bearer secret");
    expect(seen[0]?.body).toEqual({
      model: "m",
      stream: true,
      tools: [{ type: "function", function: expect.objectContaining({ name: "run_python" }) }],
      messages: [
        { role: "system", content: "prompt" },
        {
          role: "user",
          content: [
            { type: "text", text: "question" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c", type: "function", function: { name: "run_python", arguments: '{"code":"print(\\"x\\")"}' } }],
        },
        { role: "tool", tool_call_id: "c", content: "x" },
        { role: "assistant", content: "answer" },
      ],
    });
  });

  it("without the tool names none", async () => {
    const { ask, seen } = modelOf(stream(...DONE));
    await ask(false);
    expect(seen[0]?.body).not.toHaveProperty("tools");
  });

  it("carries no key where there is none, whatever the environment has", async () => {
    const before = { ...process.env };
    try {
      Object.assign(process.env, { OPENAI_API_KEY: "secret", OPENAI_ORG_ID: "organization", OPENAI_PROJECT_ID: "project" });
      const { ask, seen } = modelOf(stream(...DONE));
      await ask();
      expect(seen[0]?.headers.get("authorization")).toBeNull();
      expect(JSON.stringify([...(seen[0]?.headers ?? [])])).not.toMatch(/secret|organization|"project"/);
    } finally {
      for (const name of ["OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"]) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });

  it("to Azure goes to the deployment, with Azure's header", async () => {
    const options = { apiType: "azure" as const, apiBase: "https://r.openai.azure.com/", apiKey: "secret", azureApiVersion: "2024-10-21" };
    const { ask, seen } = modelOf(stream(...DONE), options);
    await ask();
    expect(seen[0]?.url).toBe("https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21");
    expect(seen[0]?.headers.get("api-key")).toBe("secret");
  });

  test.each([{ model: "" }, { apiBase: "nowhere" }])("cannot be made with %j", (options) => {
    expect(() => modelOf(stream(), options)).toThrow(InterpreterError);
  });
});

describe("an answer", () => {
  it("comes in pieces, with its end last", async () => {
    const { ask } = modelOf(
      stream(
        { choices: [], prompt_filter_results: [] },
        chunk({ role: "assistant", content: "" }),
        chunk({ content: "Hel" }),
        chunk({ content: "lo", reasoning_content: "hm" }),
        chunk({ content: null }, "stop"),
        { choices: [], usage: { total_tokens: 3 } },
        "[DONE]",
      ),
    );
    expect(await ask()).toEqual([
      { kind: "text", text: "Hel" },
      { kind: "text", text: "lo" },
      { kind: "end", reason: "stop" },
    ]);
  });

  it("has calls, whose pieces are told apart", async () => {
    const call = (index: number, id: string | undefined, name: string | undefined, text: string | null) =>
      chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: text } }] });
    const { ask } = modelOf(
      stream(
        call(0, "a", "run_python", null),
        call(0, undefined, undefined, "{"),
        call(1, "b", "run_python", "[]"),
        chunk({}, "tool_calls"),
      ),
    );
    expect(await ask()).toEqual([
      { kind: "call", id: "a", name: "run_python", argumentsText: "" },
      { kind: "call", id: "a", name: "", argumentsText: "{" },
      { kind: "call", id: "b", name: "run_python", argumentsText: "[]" },
      { kind: "end", reason: "stop" },
    ]);
  });

  test.each([
    ["length", "length"],
    ["content_filter", "filtered"],
    ["tool_calls", "stop"],
    ["eos", "stop"],
  ])("that ends by %s ends by %s", async (given, expected) => {
    expect((await modelOf(stream(chunk({}, given))).ask()).at(-1)).toEqual({ kind: "end", reason: expected });
  });

  it("without an end has none", async () => {
    expect(await modelOf(stream(chunk({ content: "Hel" }))).ask()).toEqual([{ kind: "text", text: "Hel" }]);
  });
});

describe("a fault", () => {
  const faultOf = async (
    answer: Response | Error,
    options: Partial<OpenAiModelOptions> = {},
    withTool = false,
    messages = MESSAGES.slice(0, 1),
  ) => {
    try {
      await modelOf(answer, options).ask(withTool, messages);
    } catch (error) {
      return error as InterpreterError;
    }
    throw new Error("There was none.");
  };

  test.each([
    [401, { message: "Incorrect API key provided: secret-key" }, "model_unauthorized", /refuses the key \(401\): correct llm\.api_key/],
    [403, { message: "Country not supported" }, "model_unauthorized", /refuses the key \(403\)/],
    [403, { message: "no access to model m", code: "model_not_found" }, "model_not_found", /has no model "m": correct llm\.model\.$/],
    [404, { message: "The model `m` does not exist", code: "model_not_found" }, "model_not_found", /correct llm\.model/],
    [404, undefined, "model_not_found", /nothing at .*\/chat\/completions: correct llm\.api_base, which mostly ends in \/v1/],
    [402, { message: "Insufficient credits" }, "model_quota", /no quota left: "Insufficient credits"/],
    [429, { message: "You exceeded your current quota", code: "insufficient_quota" }, "model_quota", /no quota left/],
    [429, { message: "Rate limit reached" }, "model_busy", /too much to do \(429\): "Rate limit reached"/],
    [500, { message: "Boom" }, "model_failed", /failed \(500\): "Boom"/],
    [503, undefined, "model_failed", /failed \(503\)\.$/],
    [
      400,
      { message: "This model's maximum context length is 8192 tokens", code: "context_length_exceeded" },
      "context_too_long",
      /too long for m/,
    ],
    [400, { message: "the request exceeds the available context size" }, "context_too_long", /too long/],
    [400, { message: "The response was filtered", code: "content_filter" }, "content_filtered", /withholds/],
    [400, { message: "Unsupported value: 'x'" }, "model_refused", /refuses the request \(400\): "Unsupported value: 'x'"/],
  ] as const)("of %i %j is %s", async (status, error, code, sentence) => {
    const fault = await faultOf(failure(status, error), { apiKey: "secret-key" });
    expect(fault).toBeInstanceOf(InterpreterError);
    expect(fault).toMatchObject({ code, statusCode: status, isPassing: ["model_busy", "model_failed"].includes(code) });
    expect(fault.message).toMatch(sentence);
    expect(fault.message).not.toContain("secret-key");
  });

  test.each([
    [400, "registry.ollama.ai/library/gemma:latest does not support tools"],
    [400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'],
    [404, "No endpoints found that support tool use."],
    [500, "tools param requires --jinja flag"],
  ])("of %i %j says that the model takes no tools, where some were offered", async (status, message) => {
    expect(await faultOf(failure(status, { message }), {}, true)).toMatchObject({ code: "tools_unsupported" });
    expect(await faultOf(failure(status, { message }))).not.toMatchObject({ code: "tools_unsupported" });
  });

  it("about images says that the model takes none, where some were sent", async () => {
    const answer = () => failure(400, { message: "image input is not supported by this model" });
    expect(await faultOf(answer(), {}, false, MESSAGES)).toMatchObject({ code: "images_unsupported" });
    expect(await faultOf(answer())).toMatchObject({ code: "model_refused" });
  });

  test.each([
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after-ms": "150", "retry-after": "9" }, 150],
    [{ "retry-after": "soon" }, undefined],
    [{}, undefined],
  ])("with %j asks to come back in %s ms", async (headers, expected) => {
    expect((await faultOf(failure(429, { message: "Slow down" }, headers))).retryAfterMs).toBe(expected);
  });

  it("with a date asks to come back then", async () => {
    const fault = await faultOf(failure(503, undefined, { "retry-after": new Date(Date.now() + 30_000).toUTCString() }));
    expect(fault.retryAfterMs).toBeGreaterThan(20_000);
    expect(fault.retryAfterMs).toBeLessThanOrEqual(30_000);
  });

  test.each([
    ["ECONNREFUSED", /Nothing answers at http:\/\/localhost:1234\/v1: start the model's service/, false],
    ["ENOTFOUND", /cannot be reached \(ENOTFOUND\)/, false],
    ["ECONNRESET", /cannot be reached \(ECONNRESET\)/, true],
  ])("of the network (%s) is a sentence", async (code, sentence, isPassing) => {
    const fault = await faultOf(new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) }));
    expect(fault).toMatchObject({ code: "model_unreachable", isPassing });
    expect(fault.message).toMatch(sentence);
  });

  it("of the network without a name says what is known", async () => {
    const fault = await faultOf(new TypeError("fetch failed", { cause: new Error("bad port") }));
    expect(fault.message).toMatch(/cannot be reached \(bad port\)/);
  });

  it("inside a stream is one like any other", async () => {
    const inside = (error: unknown) => stream(chunk({ content: "Hel" }), { error });
    expect(await faultOf(inside({ message: "Overloaded", code: 529 }))).toMatchObject({ code: "model_failed", isPassing: true });
    expect(await faultOf(inside({ message: "Rate limit", code: 429 }))).toMatchObject({ code: "model_busy" });
    expect(await faultOf(inside({ message: "Something" }))).toMatchObject({ code: "model_failed" });
  });

  it("of a stream that breaks or is no JSON is a cut", async () => {
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(chunk({ content: "Hel" }))}\n\n`));
      },
      pull(controller) {
        controller.error(new TypeError("terminated"));
      },
    });
    expect(await faultOf(new Response(broken))).toMatchObject({ code: "model_cut", isPassing: true });
    expect(await faultOf(stream("{broken"))).toMatchObject({ code: "model_cut" });
  });

  it("of silence says how long it was", async () => {
    const silent = new Response(new ReadableStream({ pull: () => new Promise(() => undefined) }));
    const fault = await faultOf(silent, { timeoutMs: 20 });
    expect(fault).toMatchObject({ code: "model_timeout", isPassing: false });
    expect(fault.message).toMatch(/said nothing for 0 s .*ask again/);
  });

  it("of an answer that never begins is the same", async () => {
    const { ask } = modelOf((signal) => untilAborted(signal), { timeoutMs: 20 });
    await expect(ask()).rejects.toMatchObject({ code: "model_timeout" });
  });

  it("of the caller's own signal is told apart from it", async () => {
    const controller = new AbortController();
    const { ask } = modelOf((signal) => {
      controller.abort();
      return untilAborted(signal);
    });
    await expect(ask(true, MESSAGES, controller.signal)).rejects.toMatchObject({ code: "aborted" });
  });
});

function untilAborted(signal: AbortSignal): Promise<Response> {
  return new Promise((_resolve, reject) => {
    const onAbort = () => reject(new DOMException("aborted", "AbortError"));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
