/** The Model Context Protocol through the official SDK's client, over both transports, against a real server with real kernels. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KernelManager, ServerConnection } from "@jupyterlab/services";
import { Client, StreamableHTTPClientTransport, type Transport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kernelIdOf } from "../../src/http/jupyter/kernel-id.ts";
import { SERVER_DEFAULTS, startServer } from "../../src/index.ts";
import { unixFetch } from "../../src/launcher/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "../helpers/python.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

type CallOptions = Parameters<Client["callTool"]>[1];
type Result = Awaited<ReturnType<Client["callTool"]>>;

/** A model's side of one connection. */
class Caller implements AsyncDisposable {
  readonly client: Client;

  private constructor(client: Client) {
    this.client = client;
  }

  static async connect(transport: Transport, mode: "legacy" | "auto"): Promise<Caller> {
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
    await client.connect(transport);
    return new Caller(client);
  }

  call(name: string, input: Record<string, unknown> = {}, options?: CallOptions): Promise<Result> {
    return this.client.callTool({ name, arguments: input }, options);
  }

  /** The text of a call's result, which must be no failure. */
  async ask(name: string, input: Record<string, unknown> = {}, options?: CallOptions): Promise<string> {
    const result = await this.call(name, input, options);
    if (result.isError === true) throw new Error(textOf(result));
    return textOf(result);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
  }
}

const CLI = join(PACKAGE_ROOT, "dist/cli/main.js");
const KEY = "the-key";

describe("a client", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ apiKey: KEY, requireKey: true, interruptGraceMs: 5000 });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const overHttp = (): Transport =>
    new StreamableHTTPClientTransport(new URL("/mcp", server.url), { requestInit: { headers: { Authorization: `Bearer ${KEY}` } } });
  const overStdio = (): Transport =>
    new StdioClientTransport({
      command: process.execPath,
      args: [CLI, "mcp", "--url", server.url],
      env: { ...environment(), TASKWEAVER_SERVER_API_KEY: KEY },
      cwd: server.workDir,
      stderr: "pipe",
    });

  describe.each([
    ["over Streamable HTTP", overHttp, "legacy"],
    ["over Streamable HTTP without connections", overHttp, "auto"],
    ["over standard input and output", overStdio, "legacy"],
    ["over standard input and output, of the newest revision", overStdio, "auto"],
  ] as const)("%s", (_name, transport, mode) => {
    let caller: Caller;

    beforeAll(async () => {
      caller = await Caller.connect(transport(), mode);
    });
    afterAll(() => caller[Symbol.asyncDispose]());

    it("runs the whole list of tools", async () => {
      const { tools } = await caller.client.listTools();
      const session_id = `tools-${Math.random().toString(36).slice(2)}`;
      const untried = new Set(tools.map(({ name }) => name));
      const ask = (name: string, input?: Record<string, unknown>): Promise<string> => {
        untried.delete(name);
        return caller.ask(name, input);
      };
      expect(await ask("create_session", { session_id, env: { COLOUR: "green" } })).toMatch(`The session ${session_id} works in `);
      expect(await ask("list_sessions")).toMatch(`${session_id}: running, kernel python3`);
      expect(await ask("run_code", { session_id, code: "import os\nprint('a\\nb')\nx = 20 + 1\nos.environ['COLOUR']" })).toMatch(
        /^completed in .* s \(session_id tools-.*, execution_id exec-.*\)\n\nstdout:\na\nb\n\nvalue:\ngreen$/,
      );
      expect(await ask("list_variables", { session_id })).toMatch(/^x = 21$/m);
      expect(await ask("set_session_variables", { session_id, variables: { user: "Ada" } })).toMatch(
        `Set in the session ${session_id}: user`,
      );
      expect(await ask("upload_file", { session_id, path: "folder/data.csv", content: "a,b\n1,2\n" })).toMatch("folder/data.csv: 8 bytes");
      expect(await ask("list_files", { session_id })).toMatch(/^folder\/data\.csv \(8 bytes, .*\)$/);
      expect(await ask("read_file", { session_id, path: "folder/data.csv" })).toMatch(/the end of the file:\n\na,b\n1,2$/);
      expect(await ask("load_plugin", { session_id, name: "greet", code: PLUGIN })).toMatch("greet(...)");
      expect(await ask("test_plugin", { session_id, name: "greet" })).toBe("passed: greets");
      expect(await ask("run_code", { session_id, code: "greet()" })).toMatch(/value:\nhello Ada\n\nlog:\ninfo Plugin-greet greeting/);
      expect(await ask("unload_plugin", { session_id, name: "greet" })).toMatch("unloaded");
      const long = await ask("run_code", { session_id, code: "print('0123456789' * 5000)" });
      const [, execution_id, offset] = /execution_id (\S+), name stdout, offset (\d+)/.exec(long) ?? [];
      expect(long.length).toBeLessThan(15_000);
      expect(await ask("read_output", { session_id, execution_id, name: "stdout", offset: Number(offset), limit: 20 })).toBe(
        `stdout, characters 6000 to 6020 of 50001; read on with offset 6020:\n\n01234567890123456789`,
      );
      expect(await ask("interrupt", { session_id })).toBe(`Nothing runs in the session ${session_id}.`);
      expect(await ask("restart_session", { session_id })).toMatch(`${session_id}: running`);
      expect(await ask("list_variables", { session_id })).toBe(
        `The session ${session_id} has no variables: nothing has run in its kernel yet.`,
      );
      expect(await ask("run_code", { session_id, code: "'x' in globals()" })).toMatch(/value:\nFalse$/);
      expect(await ask("stop_session", { session_id })).toMatch("stopped");
      expect([...untried]).toEqual([]);
    });

    it("sees output as it is written, figures as images, files as links that can be read", async () => {
      const told: string[] = [];
      const options: CallOptions = { onprogress: ({ message }) => told.push(message ?? "") };
      const result = await caller.call("run_code", { session_id: "figures", code: FIGURE }, options);
      expect(told.join("")).toBe("first\nsecond\n");
      expect(told.length).toBeGreaterThan(1);
      expect(result.content.map(({ type }) => type)).toEqual(["text", "image", "resource_link"]);
      const [, image, link] = result.content;
      expect(image).toMatchObject({ mimeType: "image/png" });
      if (image?.type !== "image" || link?.type !== "resource_link") return expect.unreachable();
      expect(Buffer.from(image.data, "base64").subarray(1, 4).toString()).toBe("PNG");
      const { contents } = await caller.client.readResource({ uri: link.uri });
      expect(contents).toMatchObject([{ mimeType: "image/png", blob: image.data }]);
      const { resources } = await caller.client.listResources();
      expect(resources.map(({ uri }) => uri)).toContain("taskweaver://sessions/figures/files/out.txt");
      expect((await caller.client.readResource({ uri: "taskweaver://sessions/figures/files/out.txt" })).contents).toMatchObject([
        { text: "written" },
      ]);
      expect((await caller.call("read_file", { session_id: "figures", path: link.name })).content).toMatchObject([{ type: "image" }]);
      await expect(caller.client.readResource({ uri: "taskweaver://sessions/figures/files/none" })).rejects.toThrow();
      await caller.ask("stop_session", { session_id: "figures" });
    });

    it("gets the traceback of code that fails, and goes on with its variables", async () => {
      await caller.ask("run_code", { session_id: "fails", code: "kept = 1" });
      const failed = await caller.call("run_code", { session_id: "fails", code: "1 / 0" });
      expect(failed.isError).toBe(true);
      expect(textOf(failed)).toMatch(/error:\n[\s\S]*ZeroDivisionError: division by zero/);
      expect(await caller.ask("run_code", { session_id: "fails", code: "kept" })).toMatch(/value:\n1$/);
      const late = await caller.call("run_code", { session_id: "fails", code: "import time; time.sleep(60)", timeout_seconds: 0.3 });
      expect(textOf(late)).toMatch(/^timed_out/);
      await caller.ask("stop_session", { session_id: "fails" });
    });

    it("interrupts the code of a call that it takes back", async () => {
      const session = await server.client.start(`cancelled-${Math.random()}`.slice(0, 20));
      const begun = new AbortController();
      const options: CallOptions = { signal: begun.signal, onprogress: () => begun.abort(new Error("taken back")) };
      const code = "import time\nprint('begun', flush=True)\ntime.sleep(60)";
      await expect(caller.call("run_code", { session_id: session.sessionId, code }, options)).rejects.toThrow();
      const [execution] = await session.listExecutions();
      expect(await session.followExecution(execution?.execution_id ?? "")).toMatchObject({ reason: "interrupted", state_kept: true });
      expect(await caller.ask("run_code", { session_id: session.sessionId, code: "time.__name__" })).toMatch(/value:\ntime$/);
      await session.stop();
    });

    it("reads what is wrong with a call, and can do something about it", async () => {
      const failures: [string, Record<string, unknown>, string][] = [
        ["list_files", { session_id: "unknown" }, "There is no session unknown. (session_not_found)"],
        ["list_variables", {}, "This conversation has no session yet"],
        ["load_plugin", { session_id: "broken", name: "p", code: "nonsense(" }, "There is no session broken."],
        ["upload_file", { session_id: "broken", path: "x", content: "?", encoding: "base64" }, "not base64"],
        ["create_session", { kernel: "no-such-kernel" }, "unknown_kernel"],
      ];
      for (const [name, input, sentence] of failures) {
        const result = await caller.call(name, input);
        expect([name, result.isError, textOf(result)]).toEqual([name, true, expect.stringContaining(sentence)]);
      }
      const refused = await caller.call("run_code", { codes: "1" }).catch((error: unknown) => error);
      expect(JSON.stringify(refused instanceof Error ? refused.message : refused)).toMatch(/code/);
    });

    it("shares one kernel with the HTTP API and with Jupyter's clients", async () => {
      const made = await caller.ask("run_code", { code: "import os\nx = 1\nos.getpid()" });
      const [, session_id = ""] = /session_id (\S+),/.exec(made) ?? [];
      const pid = /value:\n(\d+)$/.exec(made)?.[1];
      const session = server.client.session(session_id);
      expect((await session.executeCode("x += 1; os.getpid()")).output).toBe(Number(pid));
      const settings = ServerConnection.makeSettings({
        baseUrl: `${server.url}/`,
        wsUrl: server.url.replace("http", "ws"),
        token: KEY,
        appendToken: true,
      });
      const manager = new KernelManager({ serverSettings: settings, standby: "never" });
      await manager.ready;
      const kernel = manager.connectTo({ model: { id: kernelIdOf(session_id), name: "python3" } });
      try {
        expect((await kernel.requestExecute({ code: "x += 1" }).done).content.status).toBe("ok");
      } finally {
        kernel.dispose();
        manager.dispose();
      }
      expect(await caller.ask("run_code", { session_id, code: "(x, os.getpid())" })).toMatch(`value:\n(3, ${pid})`);
      await session.stop();
    });
  });

  it("with a connection of its own has one session for all calls that name none; it ends with the connection", async () => {
    const caller = await Caller.connect(overStdio(), "legacy");
    const [, session_id = ""] = /session_id (\S+),/.exec(await caller.ask("run_code", { code: "x = 1" })) ?? [];
    expect(await caller.ask("run_code", { code: "x" })).toMatch(`session_id ${session_id},`);
    expect(await caller.ask("upload_file", { path: "a.txt", content: "text" })).toMatch(`(session_id ${session_id})`);
    await caller.client.close();
    await expect
      .poll(async () => (await server.client.listSessions()).map((each) => each.session_id), { timeout: 20_000 })
      .not.toContain(session_id);
  });

  it("over HTTP has one session for each connection, which ends with that", async () => {
    const transport = overHttp() as StreamableHTTPClientTransport;
    await using one = await Caller.connect(transport, "legacy");
    await using other = await Caller.connect(overHttp(), "legacy");
    const idOf = async (caller: Caller, code: string): Promise<string> =>
      /session_id (\S+),/.exec(await caller.ask("run_code", { code }))?.[1] ?? "";
    const [first, second] = [await idOf(one, "x = 1"), await idOf(other, "'x' in globals()")];
    expect(first).not.toBe(second);
    expect(await idOf(one, "x")).toBe(first);
    await transport.terminateSession();
    await expect
      .poll(async () => (await server.client.listSessions()).map((each) => each.session_id), { timeout: 20_000 })
      .not.toContain(first);
  });

  it("is let in at /mcp as everywhere else", async () => {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
    });
    const knock = (headers: Record<string, string>, init: RequestInit = { method: "POST", body }): Promise<Response> =>
      fetch(`${server.url}/mcp`, {
        ...init,
        headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream", ...headers },
      });
    const key = { Authorization: `Bearer ${KEY}` };
    expect((await knock({})).status).toBe(401);
    expect((await knock({ Authorization: "Bearer wrong" })).status).toBe(401);
    expect((await knock({ ...key, Origin: "https://evil.example" })).status).toBe(403);
    expect((await knock({ ...key, Origin: server.url })).status).toBe(200);
    expect((await knock({ ...key, "Mcp-Session-Id": "unknown" })).status).toBe(404);
    expect((await knock({ ...key, "Content-Type": "text/plain" })).status).toBe(415);
    expect((await knock(key, { method: "POST", body: "nonsense" })).status).toBe(400);
    expect((await knock(key, { method: "PUT", body })).status).toBe(404);
  });
});

it("a server on a Unix socket answers at /mcp, too", async () => {
  const workDir = await mkdtemp(join(tmpdir(), "taskweaver-mcp-"));
  const socketPath = join(workDir, "http");
  const server = await startServer({
    ...SERVER_DEFAULTS,
    socketPath,
    workDir,
    python: testPython(),
    kernelPool: 0,
    logLevel: "silent",
    shutdownGraceMs: 0,
  });
  try {
    const transport = new StreamableHTTPClientTransport(new URL("http://localhost/mcp"), {
      fetch: (url, init) => unixFetch(socketPath)(String(url), init ?? {}),
    });
    await using caller = await Caller.connect(transport, "legacy");
    expect(await caller.ask("run_code", { code: "6 * 7" })).toMatch(/value:\n42$/);
  } finally {
    await server.close();
    await rm(workDir, { recursive: true, force: true });
  }
});

it("`taskweaver mcp` starts a server where there is none, and lets it go when its client leaves", async () => {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-mcp-"));
  const port = String(20_000 + (process.pid % 20_000));
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI, "mcp", "--port", port, "--work-dir", join(folder, "work"), "--python", testPython()],
    env: { ...environment(), TASKWEAVER_SERVER_UNUSED_GRACE: "2" },
    cwd: folder,
    stderr: "pipe",
  });
  try {
    const caller = await Caller.connect(transport, "legacy");
    expect(await caller.ask("run_code", { code: "6 * 7" })).toMatch(/value:\n42$/);
    await caller.client.close();
    // Asked over HTTP it would take that for use, and stay.
    const log = (): Promise<string> => readFile(join(folder, "work/server.log"), "utf8");
    await expect.poll(log, { timeout: 60_000, interval: 250 }).toMatch('"msg":"stopped"');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** Settings of the one who runs the tests are none of theirs. */
function environment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name, value]) => value !== undefined && !name.startsWith("TASKWEAVER_"));
  return Object.fromEntries(entries) as Record<string, string>;
}

function textOf(result: Result): string {
  return result.content
    .map((block) => (block.type === "text" ? block.text : ""))
    .join("\n")
    .trimEnd();
}

const FIGURE = `import matplotlib.pyplot as plt
from pathlib import Path
import time
print("first", flush=True)
time.sleep(0.3)
print("second", flush=True)
Path("out.txt").write_text("written")
plt.plot([1, 2])
plt.show()`;

const PLUGIN = `from taskweaver.plugin import Plugin, register_plugin, test_plugin

@register_plugin
class Greet(Plugin):
    def __call__(self):
        self.log("info", "greeting")
        return "hello " + str(self.ctx.get_session_var("user"))

@test_plugin(name="greets")
def greets(plugin):
    assert plugin().startswith("hello")`;
