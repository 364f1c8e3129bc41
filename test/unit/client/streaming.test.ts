/** How an execution's events reach the caller. */
import { afterEach, beforeEach, expect, test } from "vitest";
import fc from "fast-check";
import { ExecutionClient, ExecutionClientError, outputText, type ExecutionEvent } from "../../../src/client/index.ts";
import { sampleResult } from "../../helpers/sample-result.ts";
import { complete, FakeServer, frame, output, sendError, sendJson, serveExecution } from "./fake-server.ts";

let server: FakeServer;
let client: ExecutionClient;

beforeEach(async () => {
  server = await FakeServer.start();
  client = new ExecutionClient({ url: server.url, timeoutMs: 5_000 });
});

afterEach(async () => {
  await server.close();
});

test("awaiting an execution gives its result", async () => {
  serveExecution(server, { events: complete([output("hello\n")], { output: 2 }) });
  const given = await client.executeCode("s", "1 + 1");
  expect(given.output).toBe(2);
  expect(given.stdout).toEqual(["hello\n"]);
});

test("iterating gives every event in order, to done", async () => {
  const events = complete([output("a"), output("b", "stderr"), output("c")]);
  serveExecution(server, { events });
  const seen: ExecutionEvent[] = [];
  for await (const event of client.executeCode("s", "code")) seen.push(event);
  expect(seen).toEqual(events);
});

test("an execution can be iterated and then awaited", async () => {
  serveExecution(server, { events: complete([output("a")], { output: "x" }) });
  const execution = client.executeCode("s", "code");
  let count = 0;
  for await (const event of execution) count += event.event === "output" ? 1 : 0;
  expect(count).toBe(1);
  expect((await execution).output).toBe("x");
});

test("awaiting inside the loop over the events does not lock up", async () => {
  const events = complete(Array.from({ length: 1_000 }, (_, index) => output(`${index}\n`)));
  serveExecution(server, { events });
  const execution = client.executeCode("s", "code");
  let seen = 0;
  for await (const event of execution) {
    if (seen === 0) await execution;
    seen += event.event === "output" ? 1 : 0;
  }
  expect(seen).toBe(1_000);
});

test("a slow iterator loses nothing", async () => {
  const events = complete(Array.from({ length: 2_000 }, (_, index) => output(`${index}\n`)));
  serveExecution(server, { events });
  let text = "";
  for await (const event of client.executeCode("s", "code")) {
    if (event.event === "output") text += event.data.text;
    if (text.length % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(text).toBe(Array.from({ length: 2_000 }, (_, index) => `${index}\n`).join(""));
});

test("leaving the loop ends the wait and closes the connection", async () => {
  let closed: () => void = () => undefined;
  const isClosed = new Promise<void>((resolve) => (closed = resolve));
  serveExecution(server, { events: [] });
  server.on("GET", /\/stream$/, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(frame(1, output("first")));
    response.on("close", closed);
  });
  const execution = client.executeCode("s", "code");
  for await (const event of execution) {
    expect(event).toEqual(output("first"));
    break;
  }
  await isClosed;
  await expect(execution).rejects.toMatchObject({ code: "aborted" });
});

test("handlers are told of stdout, stderr, artifacts and the result", async () => {
  const artifact = {
    name: "a",
    type: "image",
    mime_type: "image/png",
    original_name: "a.png",
    file_name: "a.png",
    preview: "",
    download_url: "http://h/a.png",
  } as const;
  serveExecution(server, { events: complete([output("out"), output("err", "stderr"), { event: "artifact", data: artifact }]) });
  const told: unknown[] = [];
  await client.executeCode("s", "code", {
    onStdout: (text) => void told.push(["stdout", text]),
    onStderr: (text) => void told.push(["stderr", text]),
    onArtifact: ({ file_name }) => void told.push(["artifact", file_name]),
    onResult: ({ is_success }) => void told.push(["result", is_success]),
  });
  expect(told).toEqual([
    ["stdout", "out"],
    ["stderr", "err"],
    ["artifact", "a.png"],
    ["result", true],
  ]);
});

test("what a handler throws rejects the execution as it is", async () => {
  serveExecution(server, { events: complete([output("a"), output("b")]) });
  const mine = new RangeError("mine");
  const execution = client.executeCode("s", "code", {
    onStdout: () => {
      throw mine;
    },
  });
  await expect(execution).rejects.toBe(mine);
});

test("the connection cut ten times still gives exact output", async () => {
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index} \u2028 ä 🙂\r\n`);
  const cutAfterBytes = Array.from({ length: 10 }, (_, index) => 100 + index * 977);
  serveExecution(server, { events: complete(lines.map((line) => output(line))), cutAfterBytes });
  let text = "";
  const given = await client.executeCode("s", "code", { onStdout: (chunk) => void (text += chunk) });
  expect(text).toBe(lines.join(""));
  expect(given.stdout.join("")).toBe(lines.join(""));
  expect(server.seen("GET", /stream$/)).toHaveLength(11);
  expect(server.seen("POST", /execute$/)).toHaveLength(1);
});

test("wherever the connection is cut, every event comes exactly once", async () => {
  const texts = fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 20 }), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(texts, cuts, async (chunks, cutAfterBytes) => {
      const events = complete(chunks.map((chunk) => output(chunk)));
      serveExecution(server, { events, cutAfterBytes });
      const seen: ExecutionEvent[] = [];
      for await (const event of client.executeCode("s", "code")) seen.push(event);
      expect(seen).toEqual(events);
    }),
    { numRuns: 10 },
  );
});

test("a request whose answer was lost is sent again with the same key and runs once", async () => {
  serveExecution(server, { events: complete([output("once")]) });
  let tries = 0;
  server.on("POST", /execute$/, (request, response) => {
    tries += 1;
    if (tries < 4) return void response.destroy();
    const { exec_id: executionId } = JSON.parse(request.body) as { exec_id: string };
    sendJson(response, 202, { execution_id: executionId, stream_url: `/api/v1/sessions/s/execute/${executionId}/stream` });
  });
  expect((await client.executeCode("s", "code")).stdout).toEqual(["once"]);
  const keys = server.seen("POST", /execute$/).map(({ headers }) => headers["idempotency-key"]);
  expect(keys).toHaveLength(4);
  expect(new Set(keys).size).toBe(1);
});

test("a repeat that finds its own execution goes on to the stream", async () => {
  serveExecution(server, { events: complete([output("once")]) });
  let tries = 0;
  server.on("POST", /execute$/, (_request, response) => {
    tries += 1;
    if (tries === 1) response.destroy();
    else sendError(response, 409, "execution_exists", "An execution with this id is still queued or running.");
  });
  expect((await client.executeCode("s", "code")).stdout).toEqual(["once"]);
});

test("an execution id that is in use is a fault", async () => {
  server.on("POST", /execute$/, (_request, response) =>
    sendError(response, 409, "execution_exists", "An execution with this id is still queued or running."),
  );
  await expect(client.executeCode("s", "code", { executionId: "mine" })).rejects.toMatchObject({
    code: "execution_exists",
    statusCode: 409,
  });
});

test("where the stream is gone the missing rest comes from the result", async () => {
  const events = complete([output("first "), output("second"), output("oops", "stderr")]);
  serveExecution(server, { events });
  let connections = 0;
  server.on("GET", /\/stream$/, (_request, response) => {
    connections += 1;
    if (connections > 1) return sendError(response, 404, "stream_expired", "The stream is gone.");
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(frame(1, output("first ")), () => response.destroy());
  });
  let polls = 0;
  server.on("GET", /\/execute\/[^/]+$/, (_request, response) => {
    polls += 1;
    const status = { execution_id: "x", state: polls === 1 ? "running" : "done", queued_at: "", started_at: "", finished_at: "" };
    sendJson(
      response,
      200,
      polls === 1 ? status : { ...status, result: sampleResult({ stdout: ["first ", "second"], stderr: ["oops"], output: 7 }) },
    );
  });
  let text = "";
  let errors = "";
  const given = await client.executeCode("s", "code", {
    onStdout: (chunk) => void (text += chunk),
    onStderr: (chunk) => void (errors += chunk),
  });
  expect([text, errors, given.output]).toEqual(["first second", "oops", 7]);
});

test("a stream that breaks between result and done is complete", async () => {
  serveExecution(server, { events: [] });
  server.on("GET", /\/stream$/, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(frame(1, { event: "result", data: sampleResult({ output: 1 }) }), () => response.destroy());
  });
  expect((await client.executeCode("s", "code")).output).toBe(1);
  expect(server.seen("GET", /stream$/)).toHaveLength(1);
});

test("events of unknown names and comments are skipped", async () => {
  serveExecution(server, { events: [] });
  server.on("GET", /\/stream$/, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": hello\n\n");
    response.write(frame(1, { event: "surprise", data: { a: 1 } }));
    response.end(
      complete([output("x")])
        .map((event, index) => frame(index + 2, event))
        .join(""),
    );
  });
  const names: string[] = [];
  for await (const { event } of client.executeCode("s", "code")) names.push(event);
  expect(names).toEqual(["output", "result", "done"]);
});

test("a server without event ids is read exactly all the same", async () => {
  const events = complete([output("a"), output("b"), output("c")]);
  serveExecution(server, { events: [] });
  let connections = 0;
  server.on("GET", /\/stream$/, (_request, response) => {
    connections += 1;
    response.writeHead(200, { "content-type": "text/event-stream" });
    const frames = events.map(({ event, data }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (connections === 1) response.write(frames.slice(0, 2).join(""), () => response.destroy());
    else response.end(frames.join(""));
  });
  const seen: ExecutionEvent[] = [];
  for await (const event of client.executeCode("s", "code")) seen.push(event);
  expect(seen).toEqual(events);
});

test("input is answered while output goes on", async () => {
  serveExecution(server, { events: [] });
  let go: (text: string) => void = () => undefined;
  const answered = new Promise<string>((resolve) => (go = resolve));
  server.on("POST", /\/input$/, (request, response) => {
    sendJson(response, 200, { status: "sent" });
    go((JSON.parse(request.body) as { text: string }).text);
  });
  server.on("GET", /\/stream$/, async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(frame(1, { event: "input_request", data: { prompt: "name? ", password: false } }));
    response.write(frame(2, output("working\n")));
    const name = await answered;
    response.end(
      complete([output(`hello ${name}`)])
        .map((event, index) => frame(index + 3, event))
        .join(""),
    );
  });
  let sawOutput: () => void = () => undefined;
  const output1 = new Promise<void>((resolve) => (sawOutput = resolve));
  const given = await client.executeCode("s", "code", {
    onStdout: () => sawOutput(),
    onInputRequest: async ({ prompt }) => {
      await output1;
      return prompt === "name? " ? "Ada" : undefined;
    },
  });
  expect(given.stdout).toEqual(["hello Ada"]);
  expect(JSON.parse(server.seen("POST", /execute$/)[0]!.body)).toMatchObject({ allow_input: true, stream: true });
});

test("an unanswered question does not keep an interrupted execution from ending", async () => {
  serveExecution(server, {
    events: [
      { event: "input_request", data: { prompt: "?", password: false } },
      ...complete([], { reason: "interrupted", is_success: false }),
    ],
  });
  let isAborted = false;
  const given = await client.executeCode("s", "code", {
    onInputRequest: (_request, signal) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          isAborted = true;
          resolve(undefined);
        });
      }),
  });
  expect(given.reason).toBe("interrupted");
  expect(isAborted).toBe(true);
});

test("the client's timeout ends its wait and says that the execution goes on", async () => {
  serveExecution(server, { events: [] });
  server.on(
    "GET",
    /\/stream$/,
    (_request, response) => void response.writeHead(200, { "content-type": "text/event-stream" }).write(": wait\n\n"),
  );
  const fault = await client
    .executeCode("s", "code", { timeoutMs: 50, executionId: "e1" })
    .then(null, (error: unknown) => error as ExecutionClientError);
  expect(fault).toBeInstanceOf(ExecutionClientError);
  expect(fault).toMatchObject({ code: "timeout", statusCode: 0 });
  expect((fault as Error).message).toContain("It goes on");
  expect(server.seen("POST", /interrupt$/)).toHaveLength(0);
});

test("the caller's signal ends the wait, with its reason kept", async () => {
  serveExecution(server, { events: [] });
  const controller = new AbortController();
  server.on("GET", /\/stream$/, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).write(": wait\n\n");
    controller.abort(new Error("enough"));
  });
  const execution = client.executeCode("s", "code", { signal: controller.signal });
  await expect(execution).rejects.toMatchObject({ code: "aborted", cause: new Error("enough") });
});

test("a signal that is aborted already sends nothing", async () => {
  serveExecution(server, { events: complete([]) });
  await expect(client.executeCode("s", "code", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  expect(server.requests).toHaveLength(0);
});

test("an execution that exists can be followed from its first event", async () => {
  serveExecution(server, { events: complete([output("before")]) });
  expect((await client.followExecution("s", "exec-1")).stdout).toEqual(["before"]);
  expect(server.seen("POST", /execute/)).toHaveLength(0);
});

test("a stream behind a path prefix is found below that prefix", async () => {
  serveExecution(server, { events: complete([output("x")]) });
  const behindProxy = new ExecutionClient({ url: `${server.url}/executor/` });
  await behindProxy.executeCode("s", "code");
  expect(server.requests.map(({ path }) => path.replace(/exec-[0-9a-f]+/, "ID"))).toEqual([
    "/executor/api/v1/sessions/s/execute",
    "/executor/api/v1/sessions/s/execute/ID/stream",
  ]);
});

test("a value's text is what Python writes; a string stands for itself, and there may be none", () => {
  expect(outputText(sampleResult({ output: 3, output_text: "3.0" }))).toBe("3.0");
  expect(outputText(sampleResult({ output: [1, 2], output_text: "(1, 2)" }))).toBe("(1, 2)");
  expect(outputText(sampleResult({ output: "a", output_text: "'a'" }))).toBe("a");
  expect(outputText(sampleResult({ output: "   a\n0  1", output_text: null }))).toBe("   a\n0  1");
  expect(outputText(sampleResult({ output: "", output_text: null }))).toBeNull();
  // Of a server that does not say the text.
  expect(outputText(sampleResult({ output: [1] }))).toBe("[1]");
});
