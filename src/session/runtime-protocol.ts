/** What the server and the Python kernel say to each other beyond Jupyter's protocol; the page is docs/kernel-runtime.md. */
import type { TestPluginResponse, VariableEntry } from "../api/index.ts";
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
export function parseExecuteReply(reply: Message): { outputJson: string; variables: VariableEntry[] } | undefined {
  const extra = reply.metadata["taskweaver"];
  if (typeof extra !== "object" || extra === null) return undefined;
  const { output, variables } = extra as { output?: unknown; variables?: unknown };
  const entries = Array.isArray(variables) ? variables.filter(isVariableEntry) : [];
  return { outputJson: checkedJson(output), variables: entries.map(([name, text]) => [name, text]) };
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
