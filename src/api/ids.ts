/** The names that clients choose: session ids, execution ids, plugin names. */
import { Type } from "typebox";

const ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$";

/** 1 to 128 of `A-Z a-z 0-9 . _ -`, the first a letter or digit. */
export const SessionId = Type.String({ pattern: ID_PATTERN, description: "1 to 128 of A-Z a-z 0-9 . _ -, the first a letter or digit" });

/** As {@link SessionId}; unique among the executions of a session that are queued or running. */
export const ExecutionId = Type.String({ pattern: ID_PATTERN, description: "1 to 128 of A-Z a-z 0-9 . _ -, the first a letter or digit" });

/** A Python identifier, no keyword, not beginning with an underscore (letters beyond ASCII count as Python counts them). */
export const PluginName = Type.String({
  pattern:
    "^(?!(?:False|None|True|and|as|assert|async|await|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield)$)\\p{XID_Start}\\p{XID_Continue}*$",
  maxLength: 128,
  examples: ["sql_pull_data"],
  description: "A Python identifier, no keyword, not beginning with an underscore",
});

/** `{session_id}` in a path. */
export const SessionParams = Type.Object({ session_id: SessionId });

/** `{session_id}` and `{exec_id}` in a path. */
export const ExecutionParams = Type.Object({ session_id: SessionId, exec_id: ExecutionId });

/** `{session_id}` and `{name}` in a path. */
export const PluginParams = Type.Object({ session_id: SessionId, name: PluginName });
