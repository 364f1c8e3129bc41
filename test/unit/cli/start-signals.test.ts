/** Ctrl-C while a command still finds or starts its server, or opens its session. */
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { consoleCommand } from "../../../src/cli/commands/console.ts";
import { runCommand } from "../../../src/cli/commands/run.ts";
import type { EndSignal, Terminal } from "../../../src/cli/terminal.ts";
import { FakeServer, sendJson } from "../client/fake-server.ts";

let server: FakeServer;
let signal: (signal: EndSignal) => void = () => undefined;

beforeEach(async () => {
  server = await FakeServer.start();
  server.on("GET", /\/health$/, (_request, response) =>
    sendJson(response, 200, { status: "healthy", version: "0.1.0", active_sessions: 0 }),
  );
  server.on("GET", /\/sessions$/, (_request, response) => sendJson(response, 200, { sessions: [] }));
});
afterEach(() => server.close());

function terminal(): Terminal {
  const onSignal = (listener: typeof signal) => {
    signal = listener;
    return () => undefined;
  };
  return { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), env: {}, cwd: "/", onSignal };
}

const options = () => ({ flags: { url: server.url, auto_start: false }, project: undefined });

test("while the server does not answer ends a run", async () => {
  server.on("GET", /\/health$/, () => signal("SIGINT"));
  expect(await runCommand({ ...options(), file: undefined, code: "1" }, terminal())).toBe(130);
});

test("while the session opens ends the console before it begins, and the session", async () => {
  server.on("POST", /\/sessions$/, (request, response) => {
    signal("SIGINT");
    sendJson(response, 201, { ...(JSON.parse(request.body) as object), status: "created", cwd: "/" });
  });
  expect(await consoleCommand(options(), terminal())).toBe(130);
  expect(server.seen("DELETE", /\/sessions\/session-/)).toHaveLength(1);
});

test("a second time does not wait for what was begun", async () => {
  const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
  try {
    server.on("POST", /\/sessions$/, () => {
      signal("SIGINT");
      expect(exit).not.toHaveBeenCalled();
      signal("SIGINT");
      void server.close();
    });
    await consoleCommand(options(), terminal());
    expect(exit).toHaveBeenCalledExactlyOnceWith(130);
  } finally {
    exit.mockRestore();
  }
});
