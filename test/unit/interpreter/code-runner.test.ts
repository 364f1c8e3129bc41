/** The interpreter's code in a session: handlers are told, and an interrupt finds its execution also where it is faster than the request. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { ExecutionClient } from "../../../src/client/index.ts";
import { sessionRunner } from "../../../src/interpreter/index.ts";
import { complete, FakeServer, frame, output, sendError, sendJson, serveExecution } from "../client/fake-server.ts";
import { figure } from "./fakes.ts";

let server: FakeServer;

beforeEach(async () => {
  server = await FakeServer.start();
});
afterEach(() => server.close());

const newRunner = () => sessionRunner(new ExecutionClient({ url: server.url }).session("s"), { executionTimeoutMs: 5000 });
const SILENT = { onOutput: () => undefined, onArtifact: () => undefined };

it("runs with its limit, tells output and artifacts, and returns the result", async () => {
  serveExecution(server, {
    events: complete([output("a"), output("b", "stderr"), { event: "artifact", data: figure() }], { output: 3 }),
  });
  const told: unknown[] = [];
  const result = await newRunner().run("1 + 2", {
    onOutput: (text, type) => void told.push([type, text]),
    onArtifact: ({ type }) => void told.push(type),
  });
  expect(result.output).toBe(3);
  expect(told).toEqual([["stdout", "a"], ["stderr", "b"], "image"]);
  const request = JSON.parse(server.seen("POST", /\/execute$/)[0]?.body ?? "{}") as Record<string, unknown>;
  expect(request).toMatchObject({ code: "1 + 2", timeout: 5, allow_input: false });
});

it("interrupts what runs, and has patience with a request that has not arrived", async () => {
  let finish: () => void = () => undefined;
  let tries = 0;
  server.on("POST", /\/execute$/, (request, response) => {
    const executionId = (JSON.parse(request.body) as { exec_id: string }).exec_id;
    sendJson(response, 202, { execution_id: executionId, stream_url: `/api/v1/sessions/s/execute/${executionId}/stream` });
  });
  const streaming = new Promise<void>((resolve) =>
    server.on("GET", /\/stream$/, (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      finish = () =>
        response.end(
          complete([], { reason: "interrupted" })
            .map((event, index) => frame(index + 1, event))
            .join(""),
        );
      resolve();
    }),
  );
  server.on("POST", /\/interrupt$/, (_request, response) => {
    tries += 1;
    if (tries === 1) return sendError(response, 404, "execution_not_found", "There is no such execution.");
    sendJson(response, 200, {});
    finish();
  });
  const runner = newRunner();
  const running = runner.run("while True: pass", SILENT);
  await streaming;
  await runner.interrupt();
  expect(await running).toMatchObject({ reason: "interrupted" });
  expect(tries).toBe(2);
});

it("has nothing to interrupt where nothing runs", async () => {
  await newRunner().interrupt();
  expect(server.requests).toEqual([]);
});
