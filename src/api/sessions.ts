/** Sessions: what a client sends to make one and what it is told of it. */
import { Type, type Static } from "typebox";
import { SessionId } from "./ids.ts";
import { optional } from "./optional.ts";

/** Of whatever system: one that means nothing on the server's is as good as one that cannot be used there. */
const ABSOLUTE_PATH = "^(?:/|[A-Za-z]:[/\\\\]|\\\\\\\\)[^\\u0000]*$";

export const CreateSessionRequest = Type.Object(
  {
    session_id: SessionId,
    cwd: optional(
      Type.String({ pattern: ABSOLUTE_PATH, description: "An absolute path, where code works; the session's own folder by default" }),
    ),
    kernel: optional(Type.String({ minLength: 1, maxLength: 128, description: "A kernelspec's name; python3 by default" })),
    idle_timeout: optional(
      Type.Number({ minimum: 0, maximum: 31_536_000, description: "Seconds without a request until the kernel ends; 0: never" }),
    ),
    env: optional(
      Type.Record(Type.String(), Type.String({ pattern: "^[^\\u0000]*$", description: "Text without NUL" }), {
        description: "Environment variables of the session's kernel",
        propertyNames: { pattern: "^[^=\\u0000]+$", description: "A name of an environment variable: not empty, without = and NUL" },
      }),
    ),
    requires: optional(Type.Array(Type.String(), { description: "Labels that the executor must have, behind a gateway" })),
  },
  { $id: "CreateSessionRequest", title: "CreateSessionRequest", additionalProperties: false },
);
export type CreateSessionRequest = Static<typeof CreateSessionRequest>;

export const CreateSessionResponse = Type.Object(
  {
    session_id: Type.String(),
    status: Type.Literal("created"),
    cwd: Type.String(),
    cwd_requested: Type.Optional(Type.String({ description: "The cwd asked for, where it could not be used" })),
  },
  { $id: "CreateSessionResponse", title: "CreateSessionResponse" },
);
export type CreateSessionResponse = Static<typeof CreateSessionResponse>;

export const SessionInfo = Type.Object(
  {
    session_id: Type.String(),
    status: Type.Union([Type.Literal("running"), Type.Literal("stopped")]),
    busy: Type.Optional(Type.Boolean({ description: "Whether an execution or plugin work runs or waits" })),
    kernel_started_at: Type.Optional(Type.String({ description: "When its kernel was started, where one runs that this server started" })),
    memory_bytes: Type.Optional(Type.Integer({ description: "Resident memory of the kernel, where it runs and that can be known" })),
    created_at: Type.String({ description: "RFC 3339, UTC" }),
    last_activity: Type.String({ description: "RFC 3339, UTC" }),
    loaded_plugins: Type.Array(Type.String()),
    execution_count: Type.Integer(),
    cwd: Type.String(),
    kernel: Type.String({ description: "The kernelspec's name" }),
    idle_timeout: Type.Number({ description: "Seconds; 0: never" }),
  },
  { $id: "SessionInfo", title: "SessionInfo" },
);
export type SessionInfo = Static<typeof SessionInfo>;

export const SessionList = Type.Object({ sessions: Type.Array(Type.Ref("SessionInfo#")) }, { $id: "SessionList", title: "SessionList" });
export type SessionList = { sessions: SessionInfo[] };

export const StopSessionResponse = Type.Object(
  { session_id: Type.String(), status: Type.Literal("stopped") },
  { $id: "StopSessionResponse", title: "StopSessionResponse" },
);
export type StopSessionResponse = Static<typeof StopSessionResponse>;

export const UpdateVariablesRequest = Type.Object(
  { variables: Type.Record(Type.String(), Type.String()) },
  { $id: "UpdateVariablesRequest", title: "UpdateVariablesRequest", additionalProperties: false },
);
export type UpdateVariablesRequest = Static<typeof UpdateVariablesRequest>;

export const UpdateVariablesResponse = Type.Object(
  { status: Type.Literal("updated"), variables: Type.Record(Type.String(), Type.String()) },
  { $id: "UpdateVariablesResponse", title: "UpdateVariablesResponse" },
);
export type UpdateVariablesResponse = Static<typeof UpdateVariablesResponse>;
