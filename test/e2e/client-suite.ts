/** What the client promises, tried on a real server: the same tests for a process, a container and a server elsewhere. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ExecutionClient, type ExecutionEvent, type ExecutionSession, type Fetch } from "../../src/client/index.ts";
import { testPython } from "../helpers/python.ts";
import { cuttingFetch } from "./cutting-fetch.ts";

/** A server under test. */
export interface ServerFixture extends AsyncDisposable {
  url: string;
  apiKey: string | null;
  /** How to reach it where that is not by `url` alone. */
  fetch?: Fetch;
  /** The Unix socket behind `fetch`, for clients that are no JavaScript. */
  socketPath?: string;
}

/**
 * The tests.
 * @param open Starts the server once for all of them.
 */
export function clientSuite(open: () => Promise<ServerFixture>): void {
  let server: ServerFixture;
  let client: ExecutionClient;
  let sessions = 0;

  beforeAll(async () => {
    server = await open();
    client = clientOf(server);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const withSession = async (body: (session: ExecutionSession) => Promise<void>): Promise<void> => {
    await using session = await client.start(`suite-${(sessions += 1)}`);
    await body(session);
  };

  describe("sessions", () => {
    test("are started, told about, listed, reused and stopped", async () => {
      const before = (await client.health()).active_sessions;
      const session = await client.start("life");
      expect(session.isReused).toBe(false);
      expect((await client.health()).active_sessions).toBe(before + 1);
      expect(await session.getSessionInfo()).toMatchObject({ session_id: "life", status: "running", cwd: session.cwd });
      expect((await client.listSessions()).map(({ session_id: id }) => id)).toContain("life");
      expect((await client.start("life")).isReused).toBe(true);
      await expect(client.start("life", { ifExists: "error" })).rejects.toMatchObject({ code: "session_exists", statusCode: 409 });
      expect(await session.stop()).toMatchObject({ status: "stopped" });
      await expect(session.getSessionInfo()).rejects.toMatchObject({ code: "session_not_found", statusCode: 404 });
    });

    test("keep their variables to themselves, until a restart", async () => {
      await using one = await client.start();
      await using other = await client.start();
      await one.executeCode("x = 1");
      expect((await one.executeCode("x + 1")).output).toBe(2);
      expect(await other.executeCode("x")).toMatchObject({ is_success: false, reason: "error" });
      await one.restart();
      expect((await one.executeCode("'x' in globals()")).output).toBe(false);
    });
  });

  describe("executions", () => {
    test("code that fails is data, a request that fails is thrown", async () => {
      await withSession(async (session) => {
        const result = await session.executeCode("print('before')\n1 / 0");
        expect(result).toMatchObject({ is_success: false, reason: "error", stdout: ["before\n"] });
        expect(result.error).toContain("ZeroDivisionError");
        await expect(session.executeCode("1", { executionId: "no/slashes" })).rejects.toMatchObject({
          code: "invalid_request",
          statusCode: 422,
        });
        await expect(client.executeCode("nobody", "1")).rejects.toMatchObject({ code: "session_not_found", statusCode: 404 });
      });
    });

    test("output comes while the code runs", async () => {
      await withSession(async (session) => {
        // The code goes on only when the client has seen its first line and answered by a file.
        const code = "import os, time\nprint('waiting', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('went on')";
        const kinds: string[] = [];
        let text = "";
        for await (const event of session.executeCode(code)) {
          // How many pieces the text comes in is nobody's promise.
          if (kinds.at(-1) !== event.event) kinds.push(event.event);
          if (event.event !== "output") continue;
          const isFirst = text === "";
          text += event.data.text;
          if (isFirst) await session.uploadFile("go", "");
        }
        expect(kinds).toEqual(["output", "result", "done"]);
        expect(text).toBe("waiting\nwent on\n");
      });
    });

    test("text arrives exactly, whatever is in it", async () => {
      await withSession(async (session) => {
        const code = String.raw`
import sys
text = "".join(chr(point) for point in [*range(1, 0x2100), 0x1F642, 0xFEFF, 0xFFFD]) + "\rprogress\r\n\x1b[31mred\x1b[0m"
print(text, end="")
print("err\u2028or", end="", file=sys.stderr)
len(text)`;
        let seen = "";
        const result = await session.executeCode(code, { onStdout: (text) => void (seen += text) });
        expect(result.error).toBeNull();
        expect(seen.length - 1).toBe(result.output);
        expect(seen.startsWith("\u0001\u0002\u0003")).toBe(true);
        expect(seen.endsWith("🙂\uFEFF\uFFFD\rprogress\r\n\u001B[31mred\u001B[0m")).toBe(true);
        expect(result.stdout.join("")).toBe(seen);
        expect(result.stderr.join("")).toBe("err\u2028or");
      });
    });

    test("a hundred thousand lines arrive, each once and in order", async () => {
      await withSession(async (session) => {
        let seen = "";
        await session.executeCode("for i in range(100_000): print(i)", { onStdout: (text) => void (seen += text) });
        expect(seen === Array.from({ length: 100_000 }, (_, index) => `${index}\n`).join("")).toBe(true);
      });
    });

    test("the connection cut ten times in one execution leaves its output exact, and it runs once", async () => {
      await withSession(async (session) => {
        const cutting = cuttingFetch(server.fetch ?? ((url, init) => fetch(url, init)), { cuts: 10, afterBytes: 900 });
        const shaky = clientOf({ ...server, fetch: cutting.fetch }).session(session.sessionId);
        const code =
          "import time\nruns = globals().get('runs', 0) + 1\nfor i in range(2_000):\n    print(i)\n    if i % 100 == 0: time.sleep(0.01)\nruns";
        let seen = "";
        const result = await shaky.executeCode(code, { onStdout: (text) => void (seen += text) });
        expect(cutting.count()).toBe(10);
        expect(seen).toBe(Array.from({ length: 2_000 }, (_, index) => `${index}\n`).join(""));
        expect(result.output).toBe(1);
      });
    });

    test("a client's timeout ends its wait only; the execution is followed to its end later", async () => {
      await withSession(async (session) => {
        const code = "import os, time\nprint('begun', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\n'finished'";
        const waited = session.executeCode(code, { executionId: "long", timeoutMs: 500 });
        await expect(waited).rejects.toMatchObject({ code: "timeout" });
        expect((await session.getExecution("long")).state).toBe("running");
        await session.uploadFile("go", "");
        let seen = "";
        expect((await session.followExecution("long", { onStdout: (text) => void (seen += text) })).output).toBe("finished");
        expect(seen).toBe("begun\n");
        expect((await session.getExecution("long")).result?.output).toBe("finished");
      });
    });

    test("a client that leaves stops nothing", async () => {
      await withSession(async (session) => {
        const controller = new AbortController();
        const execution = session.executeCode("import time\nprint('here', flush=True)\ntime.sleep(0.3)\ndone = True", {
          executionId: "left",
          signal: controller.signal,
          onStdout: () => controller.abort(),
        });
        await expect(execution).rejects.toMatchObject({ code: "aborted" });
        expect((await session.executeCode("done")).output).toBe(true);
      });
    });

    test("can be interrupted, and limited by the server", async () => {
      await withSession(async (session) => {
        const endless = session.executeCode("print('on', flush=True)\nwhile True: pass", {
          executionId: "endless",
          onStdout: async () => void (await session.interrupt("endless")),
        });
        expect(await endless).toMatchObject({ is_success: false, reason: "interrupted", state_kept: true });
        await expect(session.interrupt("endless")).rejects.toMatchObject({ code: "execution_done", statusCode: 409 });
        expect(await session.executeCode("while True: pass", { executionTimeoutMs: 300 })).toMatchObject({ reason: "timed_out" });
      });
    });

    test("run one after the other in the order sent, and are listed newest first", async () => {
      await withSession(async (session) => {
        const running: PromiseLike<unknown>[] = [];
        for (let index = 0; index < 12; index += 1) {
          const execution = session.executeCode(`order = globals().get('order', []) + [${index}]`, { executionId: `e${index}` });
          running.push(execution);
          // Sent when it is known to the server.
          await expect
            .poll(() =>
              session.getExecution(`e${index}`).then(
                ({ state }) => state,
                () => "unknown",
              ),
            )
            .not.toBe("unknown");
        }
        await Promise.all(running);
        expect((await session.executeCode("order")).output).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        expect((await session.listExecutions()).slice(1, 3).map(({ execution_id: id }) => id)).toEqual(["e11", "e10"]);
      });
    });

    test("input is asked for and answered", async () => {
      await withSession(async (session) => {
        const result = await session.executeCode("name = input('who? ')\nprint('hello', name)", {
          onInputRequest: ({ prompt }) => (prompt === "who? " ? "Ada" : "wrong prompt"),
        });
        expect(result.stdout.join("")).toContain("hello Ada\n");
        expect((await session.executeCode("input()")).is_success).toBe(false);
      });
    });
  });

  describe("files and figures", () => {
    test("go up, are seen by code, and come down as they were", async () => {
      await withSession(async (session) => {
        const bytes = new Uint8Array(5_000_000).map((_, index) => (index * 31) & 255);
        expect(await session.uploadFile("data/ünï code.bin", bytes)).toMatchObject({ path: "data/ünï code.bin", size: bytes.length });
        expect((await session.executeCode("import os; os.path.getsize('data/ünï code.bin')")).output).toBe(bytes.length);
        expect((await session.listFiles()).map(({ path }) => path)).toEqual(["data/ünï code.bin"]);
        const download = await session.downloadArtifact("data/ünï code.bin");
        expect(download.sizeBytes).toBe(bytes.length);
        expect(Buffer.from(await download.bytes()).equals(Buffer.from(bytes))).toBe(true);
        await expect(session.downloadArtifact("nothing.txt")).rejects.toMatchObject({ code: "artifact_not_found", statusCode: 404 });
      });
    });

    test("a figure is an artifact with its picture, and a file", async () => {
      await withSession(async (session) => {
        const events: ExecutionEvent[] = [];
        const result = await session.executeCode("plt.plot([1, 2, 3])\nplt.show()", { onEvent: (event) => void events.push(event) });
        expect(result.artifact).toMatchObject([{ type: "image", mime_type: "image/png", file_content_encoding: "base64" }]);
        expect(events.filter(({ event }) => event === "artifact")).toHaveLength(1);
        const bytes = await (await session.downloadArtifact(result.artifact[0]!.file_name)).bytes();
        expect(Buffer.from(bytes).toString("base64")).toBe(result.artifact[0]!.file_content!.replaceAll("\n", ""));
      });
    });
  });

  describe("plugins and session variables", () => {
    const code = [
      "from taskweaver.plugin import Plugin, register_plugin, test_plugin",
      "@register_plugin",
      "class Greet(Plugin):",
      "    def __call__(self):",
      "        self.log('info', 'greeting')",
      "        return self.config['word'] + ' ' + self.ctx.get_session_var('name', 'nobody')",
      "@test_plugin(name='greets', description='says the word')",
      "def check(plugin):",
      "    assert plugin().startswith('hello')",
    ].join("\n");

    test("are loaded, tested, used, kept over a restart, and unloaded", async () => {
      await withSession(async (session) => {
        expect(await session.loadPlugin({ name: "greet", code, config: { word: "hello" } })).toEqual({ name: "greet", status: "loaded" });
        expect(await session.testPlugin("greet")).toMatchObject({ is_success: true, tests: [{ name: "greets", is_success: true }] });
        await session.updateSessionVar({ name: "Ada" });
        const result = await session.executeCode("greet()");
        expect(result).toMatchObject({ output: "hello Ada", log: [["info", "Plugin-greet", "greeting"]] });
        await session.restart();
        expect((await session.executeCode("greet()")).output).toBe("hello Ada");
        await session.unloadPlugin("greet");
        expect((await session.getSessionInfo()).loaded_plugins).toEqual([]);
      });
    });

    test("a plugin that does not load is a fault with the reason, and the session goes on", async () => {
      await withSession(async (session) => {
        const fault = session.loadPlugin({ name: "broken", code: "raise RuntimeError('no good')" });
        await expect(fault).rejects.toMatchObject({ code: "plugin_failed", statusCode: 400, message: expect.stringContaining("no good") });
        expect((await session.executeCode("1 + 1")).output).toBe(2);
      });
    });
  });

  test("a wrong key is refused in words", async () => {
    if (server.apiKey === null) return;
    const wrong = clientOf({ ...server, apiKey: "wrong" });
    await expect(wrong.listSessions()).rejects.toMatchObject({ code: "unauthorized", statusCode: 401 });
    expect(await wrong.health()).toMatchObject({ status: "healthy" });
  });

  test("an existing Python client, on httpx, works as it is", async () => {
    const script = fileURLToPath(new URL("../fixtures/httpx_client.py", import.meta.url));
    const key = server.apiKey === null ? [] : ["--api-key", server.apiKey];
    const socket = server.socketPath === undefined ? [] : ["--socket", server.socketPath];
    const { stdout } = await promisify(execFile)(testPython(), [script, "--url", server.url, ...key, ...socket], { maxBuffer: 2 ** 26 });
    const seen = JSON.parse(stdout) as Record<string, Record<string, unknown>>;
    expect(seen).toMatchObject({
      health: { status: "healthy" },
      created: { session_id: "httpx-session", status: "created" },
      reused: true,
      plugin: { name: "scale", status: "loaded" },
      uploaded: { filename: "data/input.bin", status: "uploaded" },
      downloaded: true,
      result: { execution_id: "exec-001", is_success: true, error: null, output: 42, log: [["info", "Plugin-scale", "scaling"]] },
      streamed: { stderr: "to stderr\n" },
      figure_is_png: true,
      failed: { is_success: false, stdout: ["before\n"] },
      kept: { is_success: true, output: 2 },
      missing_status: 404,
      info: { status: "running", loaded_plugins: ["scale"] },
      stopped: { status: "stopped" },
    });
    expect(seen["streamed"]!["stdout"]).toBe("separators: [\u2028] [\u0085] [\u001C] end\nline 0\nline 1\nline 2\nbefore\n");
  });
}

function clientOf(server: Pick<ServerFixture, "url" | "apiKey" | "fetch">): ExecutionClient {
  return new ExecutionClient({ url: server.url, apiKey: server.apiKey ?? undefined, fetch: server.fetch, timeoutMs: 60_000 });
}
