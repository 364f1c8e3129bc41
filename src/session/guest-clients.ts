/** The other Jupyter clients of a session's kernel (JupyterLab, VS Code): they see all that it says, and are told when it ends. */
import { randomBytes, randomUUID } from "node:crypto";
import type { Message } from "../kernel/messages.ts";
import { textOf } from "./display.ts";
import type { Execution, ExecutionRequest } from "./execution.ts";
import { GuestClient, type GuestHost, type GuestListener } from "./guest-client.ts";
import { describeExit, type LiveKernel } from "./live-kernel.ts";

export type { Message as GuestMessage } from "../kernel/messages.ts";
export type { GuestClient, GuestListener } from "./guest-client.ts";

/** What the guests use of their session. */
export interface GuestSession {
  /** Without a timeout the server's own holds. */
  execute(request: Omit<ExecutionRequest, "timeoutMs"> & { timeoutMs: undefined }): Execution;
  executions(): Execution[];
  interrupt(executionId: string): Execution;
  touch(): void;
}

/** A kernel's state, as Jupyter names it. */
export type KernelState = "starting" | "idle" | "busy";

const PROTOCOL_VERSION = "5.4";

/** All guests of one session. */
export class GuestClients {
  readonly #session: GuestSession;
  readonly #host: GuestHost;
  readonly #guests = new Set<GuestClient>();
  #kernel: LiveKernel | undefined;
  /** As the kernel signs its messages; clients take another name for another kernel's. */
  #kernelName: string = randomUUID();
  #state: KernelState = "starting";
  #hasEnded: "by_itself" | "on_demand" | undefined;

  constructor(session: GuestSession, access: Pick<GuestHost, "kernel" | "inTurn">) {
    this.#session = session;
    this.#host = {
      ...access,
      execute: (request) => this.#execute(request),
      cancel: (execution) => void session.interrupt(execution.id),
      touch: () => session.touch(),
      answer: (request, channel, type, content) => this.#relay(this.#message(channel, type, request.header, content)),
    };
  }

  /** How many are connected. */
  get count(): number {
    let count = 0;
    for (const guest of this.#guests) if (guest.isConnected) count += 1;
    return count;
  }

  /** What the kernel does, whoever asked for it. */
  get state(): KernelState {
    return this.#kernel === undefined ? "starting" : this.#state;
  }

  /**
   * A client connects.
   * @param name How it signs its messages; where another connection has that name, the client has lost that one.
   */
  join(name: string, listener: GuestListener): GuestClient {
    for (const guest of this.#guests) if (name !== "" && guest.isCalled(name)) guest.end("replaced");
    const guest = new GuestClient(this.#host, name, listener);
    this.#guests.add(guest);
    return guest;
  }

  /** Interrupts what the kernel does: an execution of the session's as its users know it, a guest's as Jupyter does, by a signal and nothing more. */
  interrupt(): void {
    this.#session.touch();
    const running = this.#session.executions().find((execution) => execution.state === "running");
    const kernel = this.#kernel;
    if (running !== undefined && running.request.guest === undefined) this.#session.interrupt(running.id);
    else if (kernel?.process.interruptMode === "signal") kernel.process.signal("SIGINT");
    else kernel?.client.interrupt().catch(() => undefined);
  }

  /** The session has a kernel. */
  kernelStarted(kernel: LiveKernel): void {
    this.#kernel = kernel;
    this.#state = "idle";
    kernel.client.subscribe((message) => this.#hear(message));
    void kernel.process.exited.then((exit) => {
      if (this.#kernel !== kernel) return;
      this.#kernel = undefined;
      this.#hasEnded ??= "on_demand";
      for (const guest of this.#guests) guest.kernelEnded(`The kernel has ended (${describeExit(exit)}).`);
    });
    // Jupyter's clients take "restarting" for a kernel that died and was started again, and begin anew.
    const state = this.#hasEnded === "by_itself" ? "restarting" : "starting";
    if (this.#hasEnded !== undefined) this.#relay(this.#message("iopub", "status", {}, { execution_state: state }));
    this.#hasEnded = undefined;
  }

  /** The kernel has ended without having been told to. */
  kernelDied(): void {
    this.#hasEnded = "by_itself";
  }

  /** There is no kernel any more: the guests are told and sent away. */
  end(): void {
    this.#relay(this.#message("iopub", "status", {}, { execution_state: "dead" }));
    for (const guest of this.#guests) guest.end("no_kernel");
  }

  #execute(request: Message): Execution {
    const { header, metadata, content } = request;
    return this.#session.execute({
      executionId: `jupyter-${randomBytes(4).toString("hex")}`,
      code: textOf(content["code"] ?? ""),
      timeoutMs: undefined,
      allowInput: content["allow_stdin"] === true,
      guest: { header, metadata, content },
    });
  }

  #hear(message: Message): void {
    this.#kernelName = message.header.session;
    const state = message.content["execution_state"];
    if (message.header.msg_type === "status" && (state === "idle" || state === "busy")) this.#state = state;
    if (this.#guests.size === 0) return;
    // What server and kernel say to each other beyond Jupyter's protocol is no matter of its clients.
    if (message.header.msg_type.startsWith("taskweaver_")) return;
    const { taskweaver: _ours, ...metadata } = message.metadata;
    // What a returning server missed comes again over iopub, the reply too.
    const channel = message.header.msg_type === "execute_reply" ? "shell" : message.channel;
    this.#relay({ ...message, channel, metadata });
  }

  #relay(message: Message): void {
    for (const guest of this.#guests) {
      guest.relay(message);
      if (guest.isDone) this.#guests.delete(guest);
    }
  }

  #message(
    channel: "shell" | "control" | "iopub",
    type: string,
    parent: Message["parent_header"],
    content: Record<string, unknown>,
  ): Message {
    const header = {
      msg_id: randomUUID(),
      session: this.#kernelName,
      username: "kernel",
      date: new Date().toISOString(),
      msg_type: type,
      version: PROTOCOL_VERSION,
    };
    return { channel, header, parent_header: parent, metadata: {}, content, buffers: [] };
  }
}
