/** Which fields a message of each known type must have, as one table, and the check of a message against it. */
import type { MessageContents } from "./message-contents.ts";
import type { Message } from "./messages.ts";

type FieldKind = "string" | "number" | "boolean" | "object" | "array";

/**
 * Fields that a kernel may leave out (or that some kernels do leave out) are not here.
 * Types that are not here at all are passed on unchecked: to ignore them is their reader's matter.
 */
export const REQUIRED_FIELDS = {
  execute_reply: { status: "string" },
  kernel_info_reply: { protocol_version: "string", language_info: "object" },
  complete_reply: { matches: "array", cursor_start: "number", cursor_end: "number" },
  inspect_reply: { found: "boolean", data: "object" },
  is_complete_reply: { status: "string" },
  history_reply: { history: "array" },
  comm_info_reply: { comms: "object" },
  input_request: { prompt: "string", password: "boolean" },
  stream: { name: "string", text: "string" },
  display_data: { data: "object", metadata: "object" },
  update_display_data: { data: "object", metadata: "object" },
  execute_result: { execution_count: "number", data: "object", metadata: "object" },
  execute_input: { code: "string", execution_count: "number" },
  clear_output: { wait: "boolean" },
  error: { ename: "string", evalue: "string", traceback: "array" },
  status: { execution_state: "string" },
  comm_open: { comm_id: "string", target_name: "string", data: "object" },
  comm_msg: { comm_id: "string", data: "object" },
  comm_close: { comm_id: "string", data: "object" },
} as const satisfies { [Type in keyof MessageContents]?: Record<string, FieldKind> };

const REQUIRED_BY_TYPE = new Map<string, [field: string, kind: FieldKind][]>(
  Object.entries(REQUIRED_FIELDS).map(([type, fields]) => [type, Object.entries(fields)]),
);

/** The first required field that the message lacks or has with a wrong type; undefined where it is in order. */
export function missingField(message: Message): string | undefined {
  const required = REQUIRED_BY_TYPE.get(message.header.msg_type);
  if (required === undefined) return undefined;
  const { content } = message;
  // A reply that tells a failure has its status and, at best, the error's fields.
  if (content["status"] === "error" || content["status"] === "aborted") return undefined;
  return required.find(([field, kind]) => kindOf(content[field]) !== kind)?.[0];
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return value === null ? "null" : typeof value;
}
