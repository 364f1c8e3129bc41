/** The contents of the message types that we use, as the Jupyter messaging specification (5.4) has them. */

/** A mime bundle: representations of one value by mime type; JSON types hold objects, the others text. */
export type MimeBundle = Record<string, unknown>;

/** How a request ended; `aborted` is one that the kernel dropped from its queue. */
export type ReplyStatus = "ok" | "error" | "aborted";

/** What an error says, in `error` messages and in replies with status `error`. */
export interface ErrorContent {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** The common part of replies; the fields of the error are there only with status `error`. */
export interface ReplyContent extends Partial<ErrorContent> {
  status: ReplyStatus;
}

/** @see https://jupyter-client.readthedocs.io/en/stable/messaging.html#execute */
export interface ExecuteRequestContent {
  code: string;
  silent: boolean;
  store_history: boolean;
  user_expressions: Record<string, string>;
  allow_stdin: boolean;
  stop_on_error: boolean;
}

/** `execution_count` is missing where the execution was aborted. */
export interface ExecuteReplyContent extends ReplyContent {
  execution_count?: number;
  user_expressions?: Record<string, unknown>;
  payload?: unknown[];
}

/** What the kernel says of itself; `taskweaver_protocol` is there in our own kernel only. */
export interface KernelInfoReplyContent {
  protocol_version: string;
  implementation?: string;
  implementation_version?: string;
  language_info: { name: string; [field: string]: unknown };
  banner?: string;
  supported_features?: string[];
  taskweaver_protocol?: number;
}

/** Text that the code wrote. */
export interface StreamContent {
  name: "stdout" | "stderr";
  text: string;
}

/** A value shown; `transient.display_id` names it for later updates. */
export interface DisplayDataContent {
  data: MimeBundle;
  metadata: Record<string, unknown>;
  transient?: { display_id?: string };
}

/** The value of the last expression. */
export interface ExecuteResultContent extends DisplayDataContent {
  execution_count: number;
}

/** Positions are in Unicode code points, not in UTF-16 units. */
export interface CompleteReplyContent extends ReplyContent {
  matches: string[];
  cursor_start: number;
  cursor_end: number;
  metadata: Record<string, unknown>;
}

/** The content by message type. */
export interface MessageContents {
  execute_request: ExecuteRequestContent;
  execute_reply: ExecuteReplyContent;
  kernel_info_request: Record<string, never>;
  kernel_info_reply: KernelInfoReplyContent;
  complete_request: { code: string; cursor_pos: number };
  complete_reply: CompleteReplyContent;
  inspect_request: { code: string; cursor_pos: number; detail_level: 0 | 1 };
  inspect_reply: ReplyContent & { found: boolean; data: MimeBundle; metadata: Record<string, unknown> };
  is_complete_request: { code: string };
  is_complete_reply: { status: "complete" | "incomplete" | "invalid" | "unknown"; indent?: string };
  history_reply: ReplyContent & { history: unknown[] };
  comm_info_reply: ReplyContent & { comms: Record<string, { target_name: string }> };
  interrupt_request: Record<string, never>;
  interrupt_reply: Partial<ReplyContent>;
  shutdown_request: { restart: boolean };
  shutdown_reply: Partial<ReplyContent> & { restart?: boolean };
  input_request: { prompt: string; password: boolean };
  input_reply: { value: string };
  stream: StreamContent;
  display_data: DisplayDataContent;
  update_display_data: DisplayDataContent;
  execute_result: ExecuteResultContent;
  execute_input: { code: string; execution_count: number };
  clear_output: { wait: boolean };
  error: ErrorContent;
  status: { execution_state: string };
  iopub_welcome: { subscription: string };
  comm_open: { comm_id: string; target_name: string; data: Record<string, unknown> };
  comm_msg: { comm_id: string; data: Record<string, unknown> };
  comm_close: { comm_id: string; data: Record<string, unknown> };
}
