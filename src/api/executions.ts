/** Executions: the request, the result, the state of one, and the events of its stream. */
import { Type, type Static } from "typebox";
import { ExecutionId } from "./ids.ts";
import { nullable, oneOf, optional } from "./optional.ts";

export const ExecuteRequest = Type.Object(
  {
    exec_id: ExecutionId,
    code: Type.String(),
    stream: optional(Type.Boolean({ description: "Answer 202 at once and send the output on stream_url; false by default" })),
    timeout: optional(Type.Number({ exclusiveMinimum: 0, maximum: 31_536_000, description: "Seconds that the code may run" })),
    allow_input: optional(Type.Boolean({ description: "Whether input() may ask the client; false by default" })),
  },
  { $id: "ExecuteRequest", title: "ExecuteRequest", additionalProperties: false },
);
export type ExecuteRequest = Static<typeof ExecuteRequest>;

/** What an artifact can be. */
export const ARTIFACT_TYPES = ["image", "svg", "chart", "df", "file", "txt", "html"] as const;

export const Artifact = Type.Object(
  {
    name: Type.String(),
    type: oneOf(ARTIFACT_TYPES, "What the artifact is"),
    mime_type: Type.String(),
    original_name: Type.String(),
    file_name: Type.String({ description: "Path under the session's cwd" }),
    file_content: Type.Optional(Type.String({ description: "The content, of displays" })),
    file_content_encoding: Type.Optional(oneOf(["base64", "str"], "How file_content is written")),
    preview: Type.String(),
    display_id: Type.Optional(Type.String({ description: "Of a display that updates itself" })),
    download_url: Type.String(),
  },
  { $id: "Artifact", title: "Artifact" },
);
export type Artifact = Static<typeof Artifact>;

/** How an execution can end. */
export const END_REASONS = [
  "completed",
  "error",
  "interrupted",
  "timed_out",
  "kernel_died",
  "out_of_memory",
  "cancelled",
  "executor_lost",
] as const;
export type EndReason = (typeof END_REASONS)[number];

const StreamTruncation = Type.Object({
  bytes_written: Type.Integer(),
  bytes_kept: Type.Integer(),
  artifact: nullable(Type.String({ description: "file_name of the artifact that holds all of it" })),
});

export const Truncation = Type.Object({ stdout: Type.Optional(StreamTruncation), stderr: Type.Optional(StreamTruncation) });
export type Truncation = Static<typeof Truncation>;

export const ExecutionResult = Type.Object(
  {
    execution_id: Type.String(),
    is_success: Type.Boolean(),
    error: nullable(Type.String(), "The plain traceback, or what ended the execution, in words"),
    output: Type.Unknown({ description: "The value of the last expression; an empty string where there is none" }),
    output_text: Type.Optional(
      nullable(Type.String(), "The value as Python writes it; null where output is that text, or there is no value"),
    ),
    stdout: Type.Array(Type.String()),
    stderr: Type.Array(Type.String()),
    log: Type.Array(Type.Array(Type.String(), { minItems: 3, maxItems: 3 })),
    artifact: Type.Array(Type.Ref("Artifact#")),
    variables: Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2 })),
    reason: oneOf(END_REASONS, "How the execution ended"),
    state_kept: Type.Boolean({ description: "Whether the session's Python variables survived" }),
    started_at: nullable(Type.String()),
    finished_at: Type.String(),
    truncated: nullable(Truncation, "Per stream, what was cut"),
  },
  { $id: "ExecutionResult", title: "ExecutionResult" },
);

/** A log line of a plugin: level, tag, message. */
export type LogEntry = [level: string, tag: string, message: string];

/** A variable: its name and its shortened text. */
export type VariableEntry = [name: string, text: string];

/** The result of an execution, as clients read it. */
export interface ExecutionResult {
  execution_id: string;
  is_success: boolean;
  error: string | null;
  output: unknown;
  /** The value as Python writes it; null where `output` is that text, or there is no value. */
  output_text?: string | null;
  stdout: string[];
  stderr: string[];
  log: LogEntry[];
  artifact: Artifact[];
  variables: VariableEntry[];
  reason: EndReason;
  state_kept: boolean;
  started_at: string | null;
  finished_at: string;
  truncated: Truncation | null;
}

/** How an execution ended, and when. */
export type ResultOutline = Pick<ExecutionResult, "execution_id" | "error" | "reason" | "state_kept" | "started_at" | "finished_at">;

/** A result in which nothing is recorded: what each begins with, and all there is of one whose output nobody knows. */
export function bareResult({ execution_id, error, reason, state_kept, started_at, finished_at }: ResultOutline): ExecutionResult {
  return {
    execution_id,
    is_success: reason === "completed",
    error,
    output: "",
    output_text: null,
    variables: [],
    reason,
    state_kept,
    started_at,
    finished_at,
    stdout: [],
    stderr: [],
    log: [],
    artifact: [],
    truncated: null,
  };
}

export const StreamingStarted = Type.Object(
  { execution_id: Type.String(), stream_url: Type.String({ description: "A path; join it to the URL that was called" }) },
  { $id: "StreamingStarted", title: "StreamingStarted" },
);
export type StreamingStarted = Static<typeof StreamingStarted>;

/** The states of an execution, in their order. */
export const EXECUTION_STATES = ["queued", "running", "done"] as const;
export type ExecutionState = (typeof EXECUTION_STATES)[number];

const executionStatusFields = {
  execution_id: Type.String(),
  state: oneOf(EXECUTION_STATES, "Where the execution is in its life"),
  position: Type.Optional(Type.Integer({ minimum: 1, description: "In the queue, while queued" })),
  queued_at: Type.String(),
  started_at: nullable(Type.String()),
  finished_at: nullable(Type.String()),
};

export const ExecutionSummary = Type.Object(executionStatusFields, { $id: "ExecutionSummary", title: "ExecutionSummary" });
export type ExecutionSummary = Static<typeof ExecutionSummary>;

export const ExecutionStatus = Type.Object(
  { ...executionStatusFields, code: Type.Optional(Type.String()), result: Type.Optional(Type.Ref("ExecutionResult#")) },
  { $id: "ExecutionStatus", title: "ExecutionStatus" },
);
/** The state of an execution and the code it runs, with its result once done. */
export type ExecutionStatus = ExecutionSummary & { code?: string; result?: ExecutionResult };

export const ExecutionList = Type.Object(
  { executions: Type.Array(Type.Ref("ExecutionSummary#")) },
  { $id: "ExecutionList", title: "ExecutionList" },
);
export type ExecutionList = { executions: ExecutionSummary[] };

export const InputRequest = Type.Object(
  { text: Type.String() },
  { $id: "InputRequest", title: "InputRequest", additionalProperties: false },
);
export type InputRequest = Static<typeof InputRequest>;

export const InputResponse = Type.Object({ status: Type.Literal("sent") }, { $id: "InputResponse", title: "InputResponse" });
export type InputResponse = Static<typeof InputResponse>;

/** Query of the stream: the event after which to resume, for clients that cannot send `Last-Event-ID`. */
export const StreamQuery = Type.Object({ last_event_id: Type.Optional(Type.String({ pattern: "^[0-9]{1,15}$" })) });

/** One event of a stream, as its lines say it. */
export const StreamEvent = Type.Object(
  {
    id: Type.String({ pattern: "^[1-9][0-9]*$", description: "Counts from 1 in one execution" }),
    event: oneOf(["output", "artifact", "input_request", "result", "done"], "What has happened"),
    data: Type.String({ description: "JSON in one line: text of the code, an Artifact, a prompt, the ExecutionResult, or {}" }),
  },
  { $id: "StreamEvent", title: "StreamEvent" },
);
export type StreamEvent = Static<typeof StreamEvent>;

/** The events of an execution's stream, by name. */
export type ExecutionEvent =
  | { event: "output"; data: { type: "stdout" | "stderr"; text: string } }
  | { event: "artifact"; data: Artifact }
  | { event: "input_request"; data: { prompt: string; password: boolean } }
  | { event: "result"; data: ExecutionResult }
  | { event: "done"; data: Record<string, never> };
