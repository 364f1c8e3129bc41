/** An execution whose server goes away in the middle: waited for, started again by whoever can, or lost in words. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExecutionClient } from "../../../src/client/index.ts";
import { complete, FakeServer, frame, output, sendError, serveExecution } from "./fake-server.ts";

let server: FakeServer;
let client: ExecutionClient;

beforeEach(async () => {
  server = await FakeServer.start();
  client = new ExecutionClient({ url: server.url, timeoutMs: 5_000 });
});

afterEach(async () => {
  await server.close();
});

test("a server that restarts in between is waited for", async () => {
  serveExecution(server, { events: complete([output("still here")]) });
  let connections = 0;
  server.on("GET", /\/stream$/, (_request, response) => {
    connections += 1;
    if (connections < 5) return sendError(response, 503, "starting", "The server is still starting.");
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(
      complete([output("still here")])
        .map((event, index) => frame(index + 1, event))
        .join(""),
    );
  });
  expect((await client.executeCode("s", "code")).stdout).toEqual(["still here"]);
});

test("an execution that the server has forgotten is a fault", async () => {
  serveExecution(server, { events: [] });
  server.on("GET", /\/stream$/, (_request, response) => sendError(response, 404, "execution_not_found", "There is no such execution."));
  await expect(client.executeCode("s", "code")).rejects.toMatchObject({ code: "execution_not_found", statusCode: 404 });
});

test("a session that is lost while the code runs is not taken for one in which it has not run", async () => {
  serveExecution(server, { events: [] });
  server.on("GET", /\/stream$/, (_request, response) => sendError(response, 404, "session_not_found", "There is no such session."));
  await expect(client.executeCode("s", "code", { executionId: "x" })).rejects.toMatchObject({
    code: "connection_lost",
    message: `The server at ${server.url} does not know the session s any more, in which the execution x was running: how far its code came is not known.`,
  });
  server.on("POST", /\/execute$/, (_request, response) => sendError(response, 404, "session_not_found", "There is no such session."));
  await expect(client.executeCode("s", "code")).rejects.toMatchObject({ code: "session_not_found" });
});

test("who can start the server again is told that it is gone, and the stream goes on where it was", async () => {
  serveExecution(server, { events: [] });
  const events = complete([output("before\n"), output("after\n")]);
  server.on("GET", /\/stream$/, async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(frame(1, events[0]!), () => void server.close());
  });
  const port = Number(new URL(server.url).port);
  let seen = "";
  let timesGone = 0;
  const result = await client.executeCode("s", "code", {
    onStdout: (text) => void (seen += text),
    onServerGone: async () => {
      timesGone += 1;
      server = await FakeServer.start(port);
      server.on("GET", /\/stream$/, ({ headers }, response) => {
        expect(headers["last-event-id"]).toBe("1");
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.end(events.map((event, index) => frame(index + 1, event)).join(""));
      });
    },
  });
  expect([seen, timesGone]).toEqual(["before\nafter\n", 1]);
  expect(result.is_success).toBe(true);
});

test("what whoever should start the server again throws rejects the execution as it is", async () => {
  serveExecution(server, { events: [] });
  server.on("GET", /\/stream$/, (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": hello\n\n", () => void server.close());
  });
  const cannot = new Error("There is no Python.");
  await expect(client.executeCode("s", "code", { onServerGone: () => Promise.reject(cannot) })).rejects.toBe(cannot);
});
