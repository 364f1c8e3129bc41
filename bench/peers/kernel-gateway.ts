/** Jupyter Kernel Gateway, from PyPI, with default settings: kernels over HTTP, executions over a WebSocket. */
import { randomUUID } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import type { Bench, Closable } from "../bench.ts";
import { Child } from "../child.ts";
import { WebSocketClient } from "./web-socket-client.ts";

const START_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 120_000;
const RETRY_MS = 100;

/** A running gateway. */
export class KernelGateway implements Closable {
  readonly #child: Child;
  readonly #port: number;

  static async start(bench: Bench): Promise<KernelGateway> {
    const port = await freePort();
    const child = await Child.start({
      command: bench.options.python,
      args: ["-m", "kernel_gateway", "--KernelGatewayApp.ip=127.0.0.1", `--KernelGatewayApp.port=${port}`, "--log-level=ERROR"],
      environment: bench.environment,
      cwd: bench.folder,
      endedBy: "signal",
    });
    const gateway = new KernelGateway(child, port);
    try {
      await gateway.#untilItAnswers();
      return gateway;
    } catch (error) {
      await child.close();
      throw error;
    }
  }

  private constructor(child: Child, port: number) {
    this.#child = child;
    this.#port = port;
  }

  /** Makes a kernel and opens its WebSocket. */
  async openKernel(): Promise<GatewayKernel> {
    const response = await this.#fetch("/kernels", { method: "POST", body: "{}" });
    if (response.status !== 201) throw new Error(`Kernel Gateway: ${response.status} ${await response.text()}`);
    const { id } = (await response.json()) as { id: string };
    const socket = await WebSocketClient.open({ port: this.#port, path: `/api/kernels/${id}/channels`, timeoutMs: ANSWER_TIMEOUT_MS });
    return new GatewayKernel(socket, async () => {
      await this.#fetch(`/kernels/${id}`, { method: "DELETE" });
    });
  }

  close(): Promise<void> {
    return this.#child.close();
  }

  async #untilItAnswers(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await this.#fetch("", {}).catch(() => undefined))?.ok) {
      if (Date.now() > deadline) throw new Error("Kernel Gateway did not start in time.");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#port}/api${path}`, { ...init, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  }
}

/** One kernel behind the gateway. */
export class GatewayKernel implements Closable {
  readonly #socket: WebSocketClient;
  readonly #remove: () => Promise<void>;
  readonly #session = randomUUID();
  #closing: Promise<void> | undefined;

  constructor(socket: WebSocketClient, remove: () => Promise<void>) {
    this.#socket = socket;
    this.#remove = remove;
  }

  /** Runs code to its reply and its idle status. */
  async run(code: string): Promise<void> {
    const id = randomUUID();
    this.#socket.send(JSON.stringify(executeRequest(id, this.#session, code)));
    let hasReply = false;
    let isIdle = false;
    while (!hasReply || !isIdle) {
      const message = JSON.parse(await this.#socket.receive(ANSWER_TIMEOUT_MS)) as GatewayMessage;
      if (message.parent_header?.msg_id !== id) continue;
      if (message.msg_type === "execute_reply") hasReply = true;
      if (message.msg_type === "execute_reply" && message.content.status !== "ok") throw new Error("Kernel Gateway: the code failed");
      if (message.msg_type === "status" && message.content.execution_state === "idle") isIdle = true;
    }
  }

  close(): Promise<void> {
    this.#socket.close();
    return (this.#closing ??= this.#remove());
  }
}

interface GatewayMessage {
  msg_type: string;
  parent_header?: { msg_id?: string };
  content: { status?: string; execution_state?: string };
}

function executeRequest(id: string, session: string, code: string): unknown {
  return {
    channel: "shell",
    header: { msg_id: id, msg_type: "execute_request", session, username: "", version: "5.3", date: new Date().toISOString() },
    parent_header: {},
    metadata: {},
    content: { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: true },
    buffers: [],
  };
}

/** The gateway takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
