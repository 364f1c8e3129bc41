/** The plugins of a session: loaded in order, loaded again on every fresh kernel. */
import type { LoadPluginRequest, TestPluginResponse } from "../api/index.ts";
import { AppError } from "../errors.ts";
import { KernelGoneError, KernelTimeoutError } from "../kernel/kernel-errors.ts";
import type { Message } from "../kernel/messages.ts";
import type { LiveKernel } from "./live-kernel.ts";
import { parseTestReply, type RuntimeSession } from "./runtime-protocol.ts";

/** A plugin as it was sent. */
export interface PluginSource {
  name: string;
  code: string;
  config: Record<string, unknown>;
}

const LOAD_TIMEOUT_MS = 60_000;
const TEST_TIMEOUT_MS = 600_000;

/** What is loaded, in the order of loading. */
export class PluginSet {
  readonly #sources = new Map<string, PluginSource>();

  get names(): string[] {
    return [...this.#sources.keys()];
  }

  get sources(): PluginSource[] {
    return [...this.#sources.values()];
  }

  /** Takes up what an earlier server had loaded; its kernel still has them. */
  restore(sources: PluginSource[]): void {
    for (const source of sources) this.#sources.set(source.name, source);
  }

  has(name: string): boolean {
    return this.#sources.has(name);
  }

  /**
   * Loads a plugin, or replaces the one of that name.
   * @throws AppError `plugin_failed` with the reason; a kernel that did not survive it has been ended.
   */
  async load(kernel: LiveKernel, session: RuntimeSession, request: LoadPluginRequest): Promise<void> {
    const source = { name: request.name, code: request.code, config: (request.config ?? {}) as Record<string, unknown> };
    await sendLoad(kernel, session, source);
    this.#sources.delete(source.name);
    this.#sources.set(source.name, source);
  }

  /** Takes a plugin out of the session. @throws AppError `plugin_not_found`. */
  async unload(kernel: LiveKernel | undefined, name: string): Promise<void> {
    if (!this.#sources.delete(name)) throw new AppError("plugin_not_found");
    if (kernel !== undefined) await request(kernel, "taskweaver_unload_plugin_request", { name }, LOAD_TIMEOUT_MS);
  }

  /** Runs the tests that a plugin brings. @throws AppError `plugin_not_found`, `plugin_failed`. */
  async test(kernel: LiveKernel, session: RuntimeSession, name: string): Promise<TestPluginResponse> {
    if (!this.#sources.has(name)) throw new AppError("plugin_not_found");
    const reply = await request(kernel, "taskweaver_test_plugin_request", { name, session }, TEST_TIMEOUT_MS);
    if (reply.content["status"] !== "ok") throw new AppError("plugin_failed", `The tests of ${name} could not run: ${reasonOf(reply)}`);
    const tests = parseTestReply(reply);
    return { name, is_success: tests.every((test) => test.is_success), tests };
  }

  /** Loads everything again on a fresh kernel; returns a sentence for each that failed. */
  async reload(kernel: LiveKernel, session: RuntimeSession): Promise<{ name: string; reason: string }[]> {
    const failures: { name: string; reason: string }[] = [];
    for (const source of this.sources) {
      try {
        await sendLoad(kernel, session, source);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        failures.push({ name: source.name, reason: error.message });
        if (kernel.exit === undefined) continue;
        this.#sources.delete(source.name);
        break;
      }
    }
    return failures;
  }
}

async function sendLoad(kernel: LiveKernel, session: RuntimeSession, source: PluginSource): Promise<void> {
  const reply = await request(kernel, "taskweaver_load_plugin_request", { ...source, session }, LOAD_TIMEOUT_MS);
  if (reply.content["status"] !== "ok") throw new AppError("plugin_failed", `Plugin ${source.name} failed to load: ${reasonOf(reply)}`);
}

async function request(kernel: LiveKernel, type: string, content: Record<string, unknown>, timeoutMs: number): Promise<Message> {
  if (!kernel.isOurs) throw new AppError("unsupported_by_kernel", "Only Python kernels have plugins.");
  try {
    return await kernel.client.request(type, content, { timeoutMs });
  } catch (error) {
    const name = String(content["name"]);
    if (error instanceof KernelTimeoutError) {
      await kernel.process.terminate(0);
      throw new AppError("plugin_failed", `Plugin ${name} took over ${timeoutMs / 1000} s; the session goes on with a fresh kernel.`, {
        cause: error,
      });
    }
    if (error instanceof KernelGoneError) {
      throw new AppError("plugin_failed", `Plugin ${name} ended the kernel; the session goes on with a fresh one.`, { cause: error });
    }
    throw error;
  }
}

function reasonOf(reply: Message): string {
  const { ename, evalue } = reply.content;
  return typeof evalue === "string" && evalue !== "" ? evalue : typeof ename === "string" ? ename : "unknown reason";
}
