/** Jupyter's own door, through JupyterLab's own client, unchanged. */
import { KernelAPI, KernelManager, ServerConnection, SessionManager, KernelSpecManager } from "@jupyterlab/services";
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { kernelIdOf } from "../../src/http/jupyter/kernel-id.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

type Status = Kernel.Status;

/** A client of the time before there were subprotocols. */
class WebSocketWithoutProtocols extends WebSocket {
  constructor(url: string) {
    super(url);
  }
}

const COMM_ECHO = `
def open_echo(comm, _opening):
    comm.on_msg(lambda message: comm.send(data=message["content"]["data"], buffers=message["buffers"]))
get_ipython().kernel.comm_manager.register_target("echo", open_echo)`;

const PLUGIN = `
from taskweaver.plugin import register_plugin
@register_plugin
def double(x):
    return 2 * x`;

describe("a client of JupyterLab's", () => {
  let server: TestServer;
  let settings: ServerConnection.ISettings;
  const connections: Kernel.IKernelConnection[] = [];
  const managers: { dispose(): void }[] = [];

  beforeAll(async () => {
    server = await startTestServer({ apiKey: "the-key", requireKey: true, interruptGraceMs: 5000 });
    settings = ServerConnection.makeSettings({
      baseUrl: `${server.url}/`,
      wsUrl: server.url.replace("http", "ws"),
      token: "the-key",
      appendToken: true,
    });
  });
  afterAll(async () => {
    for (const connection of connections) connection.dispose();
    for (const manager of managers) manager.dispose();
    await server[Symbol.asyncDispose]();
  });

  const kernelManager = (): KernelManager => {
    const manager = new KernelManager({ serverSettings: settings, standby: "never" });
    managers.push(manager);
    return manager;
  };
  const connect = (id: string, name = "python3"): Kernel.IKernelConnection => {
    const connection = kernelManager().connectTo({ model: { id, name } });
    connections.push(connection);
    return connection;
  };

  it("starts, lists and ends a kernel, which is a session of ours", async () => {
    const manager = kernelManager();
    const connection = await manager.startNew({ name: "python3" });
    connections.push(connection);
    expect(await run(connection, "print('hello'); 1 + 1")).toMatchObject({ text: "hello\n", value: "2", status: "ok" });
    expect((await server.client.listSessions()).map((session) => session.session_id)).toContain(connection.id);
    expect((await KernelAPI.listRunning(settings)).map(({ id }) => id)).toContain(connection.id);
    await connection.shutdown();
    expect((await server.client.listSessions()).map((session) => session.session_id)).not.toContain(connection.id);
    expect((await KernelAPI.listRunning(settings)).map(({ id }) => id)).not.toContain(connection.id);
  });

  it("attaches to the session that an agent uses: one kernel, the same variables, each other's output", async () => {
    await using session = await server.client.start("shared");
    await session.executeCode("x = 20");
    const connection = connect(kernelIdOf("shared"));
    const seen = untilMessage(connection, (message) => message.header.msg_type === "stream");
    expect(await run(connection, "x += 1; x")).toMatchObject({ value: "21" });
    const result = await session.executeCode("print('from the agent'); x * 2");
    expect(result.output).toBe(42);
    expect(((await seen) as KernelMessage.IStreamMsg).content.text).toBe("from the agent\n");
  });

  it("leaves its code, output and figures in the session's history", async () => {
    await using session = await server.client.start("history");
    const connection = connect(kernelIdOf("history"));
    await run(connection, "print('seen by all')\nfrom IPython.display import HTML\nHTML('<b>rich</b>')");
    await run(connection, "hidden = 1", { store_history: false });
    const executions = await session.listExecutions();
    expect(executions).toHaveLength(1);
    const { result } = await session.getExecution(executions[0]?.execution_id ?? "");
    expect(result).toMatchObject({
      stdout: ["seen by all\n"],
      is_success: true,
      artifact: [{ type: "html", file_content: "<b>rich</b>" }],
    });
  });

  it("takes turns with the session's executions, whose time runs only while they run", async () => {
    await using session = await server.client.start("turns");
    const connection = connect(kernelIdOf("turns"));
    const first = connection.requestExecute({ code: "import time; time.sleep(1.5); order = ['jupyter']" });
    await untilMessage(connection, (message) => message.header.msg_type === "execute_input");
    const second = session.executeCode("order.append('agent'); order", { executionTimeoutMs: 1000 });
    const third = run(connection, "order.append('jupyter again'); order");
    expect(await second).toMatchObject({ is_success: true, output: ["jupyter", "agent"] });
    expect(await third).toMatchObject({ value: "['jupyter', 'agent', 'jupyter again']" });
    expect((await first.done).content.status).toBe("ok");
  });

  it("runs many cells in their order, and none behind one that failed", async () => {
    await using session = await server.client.start("cells");
    const connection = connect(kernelIdOf("cells"));
    const good = Array.from({ length: 20 }, (_, index) => run(connection, `print(${index})`));
    expect((await Promise.all(good)).map(({ text }) => text)).toEqual(good.map((_, index) => `${index}\n`));
    const replies = ["1 / 0", "print('never')", "print('never')"].map(
      (code) => connection.requestExecute({ code, stop_on_error: true }).done,
    );
    expect((await Promise.all(replies)).map(({ content }) => content.status)).toEqual(["error", "aborted", "aborted"]);
    expect((await session.executeCode("'goes on'")).output).toBe("goes on");
    expect(await run(connection, "'goes on'")).toMatchObject({ value: "'goes on'" });
  });

  it("interrupts its own code by the signal alone, and the agent's as the agent knows it", async () => {
    await using session = await server.client.start("interrupts");
    const connection = connect(kernelIdOf("interrupts"));
    const own = connection.requestExecute({ code: "import time\nprint('begun', flush=True)\ntime.sleep(60)" });
    await untilMessage(connection, (message) => message.header.msg_type === "stream");
    await connection.interrupt();
    expect((await own.done).content).toMatchObject({ status: "error", ename: "KeyboardInterrupt" });
    const running = session.executeCode("print('begun', flush=True)\ntime.sleep(60)");
    await untilMessage(connection, (message) => message.header.msg_type === "stream");
    await connection.interrupt();
    expect(await running).toMatchObject({ reason: "interrupted", state_kept: true });
  });

  it("completes, inspects and answers input()", async () => {
    await using session = await server.client.start("dialogue");
    const connection = connect(kernelIdOf("dialogue"));
    await session.executeCode("some_long_name = 1");
    const { content } = await connection.requestComplete({ code: "some_lo", cursor_pos: 7 });
    expect(content).toMatchObject({ status: "ok", matches: ["some_long_name"] });
    const future = connection.requestExecute({ code: "input('name? ') + '!'", allow_stdin: true });
    let value: unknown;
    future.onStdin = (message) => connection.sendInputReply({ value: "Ada", status: "ok" }, message.header as never);
    future.onIOPub = (message) => {
      if (message.header.msg_type === "execute_result") value = (message as KernelMessage.IExecuteResultMsg).content.data["text/plain"];
    };
    await future.done;
    expect(value).toBe("'Ada!'");
  });

  it.each([
    ["v1.kernel.websocket.jupyter.org", WebSocket],
    ["the default framing", WebSocketWithoutProtocols],
  ])("exchanges text and binary buffers with a comm, over %s", async (name, WebSocketClass) => {
    const sessionId = `buffers-${name.length}`;
    await using session = await server.client.start(sessionId);
    await session.executeCode(COMM_ECHO);
    const manager = new KernelManager({ serverSettings: { ...settings, WebSocket: WebSocketClass as never }, standby: "never" });
    managers.push(manager);
    const connection = manager.connectTo({ model: { id: kernelIdOf(sessionId), name: "python3" } });
    connections.push(connection);
    const comm = connection.createComm("echo");
    const echoed = new Promise<KernelMessage.ICommMsgMsg>((resolve) => (comm.onMsg = resolve));
    await comm.open().done;
    void comm.send({ text: "\u00e4\u2028\ud83d\ude00" }, {}, [new Uint8Array([1, 2, 255]).buffer, new Uint8Array(0).buffer]).done;
    const { content, buffers } = await echoed;
    expect(content.data).toEqual({ text: "\u00e4\u2028\ud83d\ude00" });
    expect(buffers?.map((buffer) => [...new Uint8Array((buffer as DataView).buffer)])).toEqual([[1, 2, 255], []]);
  });

  it("learns of a restart that somebody else asked for, is told the end of its code, and goes on", async () => {
    await using session = await server.client.start("restarted");
    const connection = connect(kernelIdOf("restarted"));
    await run(connection, "kept = 1");
    const statuses = statusesOf(connection);
    const lost = connection.requestExecute({ code: "import time; time.sleep(60)" });
    const waits = connection.requestExecute({ code: "1" });
    await untilMessage(connection, (message) => message.header.msg_type === "execute_input");
    await session.restart();
    expect((await lost.done).content).toMatchObject({ status: "error", ename: "DeadKernelError" });
    expect((await waits.done).content.status).toBe("aborted");
    expect(await run(connection, "'kept' in globals()")).toMatchObject({ value: "False" });
    expect(statuses).toContain("starting");
    expect(statuses).not.toContain("autorestarting");
  });

  it("restarts the kernel, and plugins are there again", async () => {
    await using session = await server.client.start("restarts");
    await session.loadPlugin({ name: "double", code: PLUGIN });
    const connection = connect(kernelIdOf("restarts"));
    await run(connection, "gone = 1");
    await connection.restart();
    expect(await run(connection, "('gone' in globals(), double(21))")).toMatchObject({ value: "(False, 42)" });
    expect(await session.getSessionInfo()).toMatchObject({ status: "running", loaded_plugins: ["double"] });
  });

  it("sees a kernel's death as an automatic restart", async () => {
    await using session = await server.client.start("dies");
    const connection = connect(kernelIdOf("dies"));
    await run(connection, "1");
    const restarting = untilStatus(connection, "autorestarting");
    void connection.requestExecute({ code: "import os; os._exit(3)" }).done.catch(() => undefined);
    await restarting;
    expect(await run(connection, "'alive'")).toMatchObject({ value: "'alive'" });
    expect((await session.listExecutions()).length).toBeGreaterThan(0);
  });

  it("is told that the kernel is dead where the session ends", async () => {
    const session = await server.client.start("ends");
    const connection = connect(kernelIdOf("ends"));
    await run(connection, "1");
    const dead = untilStatus(connection, "dead");
    await session.stop();
    await dead;
    expect(connection.isDisposed).toBe(true);
  });

  it("keeps a session from falling idle while it works, and loses the kernel afterwards", async () => {
    await using session = await server.client.start("idle", { idleTimeoutMs: 2000 });
    const connection = connect(kernelIdOf("idle"));
    const dead = untilStatus(connection, "dead");
    expect(await run(connection, "import time; time.sleep(2.5); 'worked'")).toMatchObject({ value: "'worked'" });
    await dead;
    expect((await session.getSessionInfo()).status).toBe("stopped");
    expect((await KernelAPI.listRunning(settings)).map(({ id }) => id)).not.toContain(kernelIdOf("idle"));
    expect(await session.executeCode("1")).toMatchObject({ state_kept: false });
  });

  it("shuts the kernel of an agent's session down, and the session keeps all but its variables", async () => {
    await using session = await server.client.start("agents");
    await session.executeCode("x = 1; print('kept')");
    await session.updateSessionVar({ name: "value" });
    let tellBegun = (): void => undefined;
    const begun = new Promise<void>((resolve) => (tellBegun = resolve));
    const running = session.executeCode("import time; print('begun'); time.sleep(600)", { onStdout: tellBegun });
    await begun;
    await KernelAPI.shutdownKernel(kernelIdOf("agents"), settings);
    expect(await running).toMatchObject({ reason: "interrupted", state_kept: false });
    expect((await session.getSessionInfo()).status).toBe("stopped");
    expect((await KernelAPI.listRunning(settings)).map(({ id }) => id)).not.toContain(kernelIdOf("agents"));
    // Once more: it is down already.
    await KernelAPI.shutdownKernel(kernelIdOf("agents"), settings);
    expect((await session.listExecutions()).length).toBe(2);
    expect(await session.executeCode("'x' in globals()")).toMatchObject({ is_success: true, output: false });
  });

  it("finds every session among Jupyter's, opens documents on kernels and moves them", async () => {
    await using session = await server.client.start("document");
    const manager = new SessionManager({ serverSettings: settings, kernelManager: kernelManager(), standby: "never" });
    managers.push(manager);
    await manager.ready;
    await manager.refreshRunning();
    expect([...manager.running()]).toContainEqual(
      expect.objectContaining({ path: "document", kernel: expect.objectContaining({ id: kernelIdOf("document") }) }),
    );
    const document = await manager.startNew({
      path: "work.ipynb",
      name: "work",
      type: "notebook",
      kernel: { id: kernelIdOf("document") } as never,
    });
    expect(document.kernel?.id).toBe(kernelIdOf("document"));
    await document.setPath("other.ipynb");
    const kernel = await document.changeKernel({ name: "python3" });
    expect(kernel?.id).not.toBe(kernelIdOf("document"));
    expect((await session.getSessionInfo()).status).toBe("running");
    await document.shutdown();
    await manager.refreshRunning();
    expect(await manager.findByPath("other.ipynb")).toBeUndefined();
  });

  it("joins a session by its kernelspec, as clients do that know no other way, and lets it go again", async () => {
    await using session = await server.client.start("joined");
    await session.executeCode("x = 41");
    const connection = await kernelManager().startNew({ name: "session.joined" });
    connections.push(connection);
    expect(connection.id).toBe(kernelIdOf("joined"));
    expect(await run(connection, "x + 1")).toMatchObject({ value: "42" });
    await connection.shutdown();
    expect((await session.executeCode("x")).output).toBe(41);
    await expect(kernelManager().startNew({ name: "session.unknown" })).rejects.toThrow("There is no kernel unknown.");
  });

  it("is offered the kernelspecs", async () => {
    const manager = new KernelSpecManager({ serverSettings: settings, standby: "never" });
    managers.push(manager);
    await manager.ready;
    expect(manager.specs?.default).toBe("python3");
    expect(manager.specs?.kernelspecs["python3"]).toMatchObject({ language: "python", display_name: "Python 3 (TaskWeaver)" });
  });
});

describe("the WebSocket's door", () => {
  it("takes the key in a header or the query, and refuses other origins, wrong keys and unknown kernels", async () => {
    await using server = await startTestServer({ apiKey: "the-key", requireKey: true });
    await using _session = await server.client.start("guarded");
    const url = `${server.url.replace("http", "ws")}/api/kernels/${kernelIdOf("guarded")}/channels`;
    const knock = (address: string, headers: Record<string, string> = {}): Promise<number> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(address, { headers });
        socket.once("open", () => {
          socket.close();
          resolve(101);
        });
        socket.once("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
        socket.once("error", reject);
      });
    expect(await knock(url)).toBe(401);
    expect(await knock(`${url}?token=wrong`)).toBe(401);
    expect(await knock(`${url}?token=the-key`)).toBe(101);
    expect(await knock(url, { "X-API-Key": "the-key" })).toBe(101);
    expect(await knock(url, { Authorization: "token the-key" })).toBe(101);
    expect(await knock(`${url}?token=the-key`, { Origin: "https://evil.example" })).toBe(403);
    expect(await knock(`${url}?token=the-key`, { Origin: server.url })).toBe(101);
    expect(await knock(`${server.url.replace("http", "ws")}/api/kernels/unknown/channels?token=the-key`)).toBe(404);
    expect((await fetch(`${server.url}/api/kernels?token=the-key`)).status).toBe(401);
  });
});

async function run(
  connection: Kernel.IKernelConnection,
  code: string,
  options: Partial<KernelMessage.IExecuteRequestMsg["content"]> = {},
): Promise<{ text: string; value: unknown; status: string }> {
  const future = connection.requestExecute({ code, ...options });
  let text = "";
  let value: unknown;
  future.onIOPub = (message) => {
    if (message.header.msg_type === "stream") text += (message as KernelMessage.IStreamMsg).content.text;
    if (message.header.msg_type === "execute_result") value = (message as KernelMessage.IExecuteResultMsg).content.data["text/plain"];
  };
  const reply = await future.done;
  return { text, value, status: reply.content.status };
}

function untilMessage(
  connection: Kernel.IKernelConnection,
  matches: (message: KernelMessage.IMessage) => boolean,
): Promise<KernelMessage.IMessage> {
  return new Promise((resolve) => {
    const listen = (_sender: unknown, message: KernelMessage.IIOPubMessage): void => {
      if (!matches(message)) return;
      connection.iopubMessage.disconnect(listen);
      resolve(message);
    };
    connection.iopubMessage.connect(listen);
  });
}

function statusesOf(connection: Kernel.IKernelConnection): Status[] {
  const statuses: Status[] = [];
  connection.statusChanged.connect((_sender, status) => statuses.push(status));
  return statuses;
}

function untilStatus(connection: Kernel.IKernelConnection, wanted: Status): Promise<void> {
  return new Promise((resolve) => {
    connection.statusChanged.connect((_sender, status) => {
      if (status === wanted) resolve();
    });
  });
}
