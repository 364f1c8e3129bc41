/** What the server and the Python kernel say to each other beyond Jupyter's protocol; the page is docs/kernel-runtime.md. */
import type { TestPluginResponse, VariableEntry } from "../api/index.ts";
import type { KernelClient } from "../kernel/kernel-client.ts";
import type { Message } from "../kernel/messages.ts";
import { checkedJson } from "./result.ts";

/** The version of these shapes that this server speaks. */
export const RUNTIME_PROTOCOL_VERSION = 1;

/** What the kernel is told of its session, with every request that may run plugin code. */
export interface RuntimeSession {
  session_id: string;
  env_id: string;
  session_variables: Record<string, string>;
}

/** Metadata of an `execute_request`. */
export function executeMetadata(session: RuntimeSession, executionId: string, executionIndex: number): Record<string, unknown> {
  return { taskweaver: { ...session, execution_id: executionId, execution_index: executionIndex } };
}

/** What an `execute_reply` carries; nothing of it is believed to have the right shape, since the user's code runs beside its maker. */
export function parseExecuteReply(reply: Message): { outputJson: string; outputText?: string; variables: VariableEntry[] } | undefined {
  const extra = reply.metadata["taskweaver"];
  if (typeof extra !== "object" || extra === null) return undefined;
  const { output, output_text, variables } = extra as { output?: unknown; output_text?: unknown; variables?: unknown };
  const entries = Array.isArray(variables) ? variables.filter(isVariableEntry) : [];
  return {
    outputJson: checkedJson(output),
    ...(typeof output_text === "string" ? { outputText: output_text } : {}),
    variables: entries.map(([name, text]) => [name, text]),
  };
}

/** What a kernel of ours says of its current or last execution to a server that takes it back. */
export interface KeptExecution {
  messageId: string;
  executionId: string;
}

/** Asks a kernel what it does or did last. */
export async function askWhatRuns(client: KernelClient): Promise<KeptExecution> {
  const reply = await client.request("taskweaver_attach_request", {}, { channel: "control" });
  const { message_id, execution_id } = (reply.content["execution"] ?? {}) as Record<string, unknown>;
  return { messageId: typeof message_id === "string" ? message_id : "", executionId: typeof execution_id === "string" ? execution_id : "" };
}

/**
 * Lets the kernel send again on iopub what came after the first `skip` messages, behind a `taskweaver_replay` with this id.
 * @returns whether it ends with an `input_request`: what the code waits for an answer to.
 */
export async function askForTheRest(client: KernelClient, messageId: string, skip: number, replayId: string): Promise<boolean> {
  const content = { message_id: messageId, skip, replay_id: replayId };
  const reply = await client.request("taskweaver_replay_request", content, { channel: "control" });
  return reply.content["asks"] === true;
}

/** Tells the kernel that so many messages of an execution are stored and need not be kept. */
export async function tellStored(client: KernelClient, messageId: string, count: number): Promise<void> {
  await client.request("taskweaver_stored_request", { message_id: messageId, count }, { channel: "control" });
}

/** The `tests` of a `taskweaver_test_plugin_reply`. */
export function parseTestReply(reply: Message): TestPluginResponse["tests"] {
  const tests = reply.content["tests"];
  if (!Array.isArray(tests)) return [];
  return tests.map((test: unknown) => {
    const { name, description, is_success, error } = (test ?? {}) as Record<string, unknown>;
    return {
      name: String(name),
      description: typeof description === "string" ? description : null,
      is_success: is_success === true,
      error: typeof error === "string" ? error : null,
    };
  });
}

function isVariableEntry(entry: unknown): entry is VariableEntry {
  return Array.isArray(entry) && entry.length === 2 && entry.every((part) => typeof part === "string");
}
