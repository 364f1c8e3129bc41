/** One request that a fake kernel received, with the verbs to answer it in any order. */
import type { Message } from "../../src/kernel/messages.ts";
import type { FakeKernel } from "./fake-kernel.ts";

/** Everything sent through it has the request as its parent. */
export class FakeRequest {
  readonly message: Message;
  readonly #kernel: FakeKernel;

  constructor(message: Message, kernel: FakeKernel) {
    this.message = message;
    this.#kernel = kernel;
  }

  get type(): string {
    return this.message.header.msg_type;
  }

  get content(): Record<string, unknown> {
    return this.message.content;
  }

  get metadata(): Record<string, unknown> {
    return this.message.metadata;
  }

  /** The code of an `execute_request`. */
  get code(): string {
    return String(this.message.content["code"]);
  }

  /** What we put into the metadata, `metadata.taskweaver`. */
  get taskweaver(): Record<string, unknown> {
    return (this.message.metadata["taskweaver"] ?? {}) as Record<string, unknown>;
  }

  busy(): this {
    return this.publish("status", { execution_state: "busy" });
  }

  idle(): this {
    return this.publish("status", { execution_state: "idle" });
  }

  stream(name: "stdout" | "stderr", text: string): this {
    return this.publish("stream", { name, text });
  }

  /** A `display_data` with a mime bundle. */
  display(data: Record<string, unknown>, options: { displayId?: string; metadata?: Record<string, unknown> } = {}): this {
    const transient = options.displayId === undefined ? {} : { display_id: options.displayId };
    return this.publish("display_data", { data, metadata: options.metadata ?? {}, transient });
  }

  /** An `execute_result` with a mime bundle, or with plain text. */
  result(data: Record<string, unknown> | string): this {
    const bundle = typeof data === "string" ? { "text/plain": data } : data;
    return this.publish("execute_result", { data: bundle, metadata: {}, execution_count: this.#kernel.executionCount });
  }

  /** An `error` message; the reply is a separate verb. */
  error(ename: string, evalue: string, traceback: string[] = [`${ename}: ${evalue}`]): this {
    return this.publish("error", { ename, evalue, traceback });
  }

  /** A plugin's `taskweaver_log`. */
  log(level: "debug" | "info" | "warning" | "error", tag: string, message: string): this {
    return this.publish("taskweaver_log", { level, tag, message });
  }

  /** Any message on iopub. */
  publish(type: string, content: Record<string, unknown>, options: { metadata?: Record<string, unknown>; key?: string } = {}): this {
    this.#kernel.send("iopub", type, content, { parent: this.message.header, ...options });
    return this;
  }

  /**
   * The reply, on the channel of the request.
   * @param content Laid over `{status: "ok"}` (and an execution count for executions).
   * @param taskweaver Becomes `metadata.taskweaver` of an `execute_reply`; null for none.
   */
  reply(content: Record<string, unknown> = {}, taskweaver: Record<string, unknown> | null = NO_OUTPUT): this {
    const isExecution = this.type === "execute_request";
    const base = isExecution ? { execution_count: this.#kernel.executionCount, payload: [], user_expressions: {} } : {};
    const metadata = isExecution && taskweaver !== null ? { taskweaver } : {};
    const type = this.type.replace(/_request$/, "_reply");
    const options = { parent: this.message.header, metadata };
    this.#kernel.send(this.message.channel as "shell" | "control", type, { status: "ok", ...base, ...content }, options);
    return this;
  }

  /** Asks on stdin; resolves with the text of the answer. */
  async input(prompt: string, password = false): Promise<string> {
    this.#kernel.send("stdin", "input_request", { prompt, password }, { parent: this.message.header });
    const answer = await this.#kernel.nextRequest("input_reply");
    return String(answer.content["value"]);
  }

  /** Busy, the reply, idle. */
  answer(content: Record<string, unknown> = {}): this {
    return this.busy().reply(content).idle();
  }

  /** A whole execution that succeeds, as by default. */
  succeed(options: { stdout?: string; result?: string; output?: string; variables?: [string, string][] } = {}): this {
    this.begin();
    if (options.stdout !== undefined) this.stream("stdout", options.stdout);
    if (options.result !== undefined) this.result(options.result);
    this.reply({}, { output: options.output ?? NO_OUTPUT.output, variables: options.variables ?? [] });
    return this.idle();
  }

  /** A whole execution whose code fails. */
  failWith(ename: string, evalue: string, traceback: string[] = [`${ename}: ${evalue}`]): this {
    this.begin().error(ename, evalue, traceback);
    return this.reply({ status: "error", ename, evalue, traceback }).idle();
  }

  /** What opens every execution: busy and `execute_input`, with the execution counted. */
  begin(): this {
    this.busy();
    if (this.content["silent"] === true) return this;
    this.#kernel.executionCount += 1;
    return this.publish("execute_input", { code: this.code, execution_count: this.#kernel.executionCount });
  }
}

/** What our kernel says of an execution that left no value. */
const NO_OUTPUT = { output: '""', variables: [] as [string, string][] };
