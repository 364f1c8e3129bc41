/** A stock ipykernel process for one test, over Unix sockets or TCP, with a client. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createIpcConnection, type ConnectionInfo } from "../../../src/kernel/connection.ts";
import { KernelClient, type KernelClientOptions } from "../../../src/kernel/kernel-client.ts";
import type { Message } from "../../../src/kernel/messages.ts";
import { ZeromqTransport } from "../../../src/kernel/zeromq-transport.ts";
import { testPython } from "../../helpers/python.ts";

/** How long a kernel may take to start, in milliseconds. */
export const START_TIMEOUT_MS = 30_000;

/** What one execution said. */
export interface Heard {
  reply: Message;
  messages: Message[];
  /** All that was written to stdout. */
  stdout: string;
}

/** One kernel process; close it in any case. */
export class StockKernel {
  readonly connection: ConnectionInfo;
  readonly process: ChildProcess;
  readonly client: KernelClient;
  /** Ends with the kernel. */
  readonly directory: string;

  private constructor(connection: ConnectionInfo, process: ChildProcess, directory: string, options: Partial<KernelClientOptions>) {
    this.connection = connection;
    this.process = process;
    this.directory = directory;
    this.client = this.newClient(options);
  }

  /** Starts a kernel; it need not answer yet. */
  static async start(transport: "ipc" | "tcp", options: Partial<KernelClientOptions> = {}): Promise<StockKernel> {
    const directory = await mkdtemp(join(tmpdir(), "tw-"));
    const ipc = createIpcConnection(directory, "k");
    const connection = transport === "ipc" ? ipc : { ...ipc, transport, ip: "127.0.0.1", ...(await freePorts()) };
    const file = join(directory, "connection.json");
    await writeFile(file, JSON.stringify(connection), { mode: 0o600 });
    const env = { ...process.env, IPYTHONDIR: directory };
    const child = spawn(testPython(), ["-m", "ipykernel_launcher", "-f", file], { stdio: "ignore", env });
    await once(child, "spawn");
    return new StockKernel(connection, child, directory, options);
  }

  /** Another client, with sockets of its own. */
  newClient(options: Partial<KernelClientOptions> = {}): KernelClient {
    return new KernelClient(new ZeromqTransport(this.connection), { key: this.connection.key, ...options });
  }

  /** Opens the client and waits for the kernel. */
  async ready(): Promise<this> {
    await this.client.open();
    await this.client.waitUntilReady(START_TIMEOUT_MS);
    return this;
  }

  /** Runs code to its end. */
  async run(code: string, onMessage: (message: Message) => void = () => {}, allowStdin = false): Promise<Heard> {
    const messages: Message[] = [];
    const execution = this.client.execute({
      code,
      allowStdin,
      onMessage: (message) => {
        messages.push(message);
        onMessage(message);
      },
    });
    const reply = await execution.done;
    execution.release();
    return { reply, messages, stdout: textOf(messages, "stdout") };
  }

  async close(): Promise<void> {
    this.client.close();
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, "exit");
      this.process.kill("SIGKILL");
      await exited;
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The joined text of one stream. */
export function textOf(messages: Message[], name: "stdout" | "stderr"): string {
  const parts = messages.filter((message) => message.header.msg_type === "stream" && message.content["name"] === name);
  return parts.map((message) => message.content["text"]).join("");
}

/** The types of messages, in order. */
export function typesOf(messages: Message[]): string[] {
  return messages.map((message) => message.header.msg_type);
}

async function freePorts(): Promise<Partial<ConnectionInfo>> {
  const names = ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"] as const;
  // All are held at once, so that no two get the same.
  const servers = await Promise.all(
    names.map(async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return Object.fromEntries(names.map((name, index) => [name, ports[index]]));
}
