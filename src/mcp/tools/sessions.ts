/** Tools for sessions: made, listed, restarted, stopped; their variables. */
import { Type } from "typebox";
import { SessionId } from "../../api/index.ts";
import type { SessionInfo } from "../../client/index.ts";
import { shorten } from "../shorten.ts";
import { text, type Tool } from "../tool.ts";
import { record, session_id } from "./inputs.ts";

const NoInput = Type.Object({}, { additionalProperties: false });
const SessionInput = Type.Object({ session_id }, { additionalProperties: false });

/** `list_sessions` */
export const listSessions: Tool<typeof NoInput> = {
  name: "list_sessions",
  title: "List the sessions",
  description:
    "Lists all sessions of the server, also those that other programs made: what they are doing, their plugins and their folders.",
  input: NoInput,
  annotations: { readOnlyHint: true },
  async run(_input, { client, signal }) {
    const sessions = await client.listSessions({ signal });
    return text(sessions.length === 0 ? "There are no sessions." : sessions.map(lineOf).join("\n"));
  },
};

const CreateInput = Type.Object(
  {
    session_id: Type.Optional(Type.Unsafe<string>({ ...SessionId, description: "A name for it; a random one by default" })),
    cwd: Type.Optional(Type.String({ minLength: 1, description: "Absolute path of the folder to work in; the session's own by default" })),
    kernel: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: "Another installed kernel than python3" })),
    idle_timeout_seconds: Type.Optional(
      Type.Number({ minimum: 0, maximum: 31_536_000, description: "Without a call for this long its kernel ends; 0: never" }),
    ),
    env: Type.Optional(record(Type.String(), "Environment variables of the code")),
  },
  { additionalProperties: false },
);

/** `create_session` */
export const createSession: Tool<typeof CreateInput> = {
  name: "create_session",
  title: "Create a session",
  description: `Makes a session with a kernel, variables and a folder of its own. Only needed for work that has to be kept apart, or in a certain folder, kernel or
environment: run_code makes the session that it needs.`,
  input: CreateInput,
  annotations: { destructiveHint: false },
  async run({ session_id: id, cwd, kernel, idle_timeout_seconds, env }, { client, signal }) {
    const idleTimeoutMs = idle_timeout_seconds === undefined ? undefined : idle_timeout_seconds * 1000;
    const session = await client.start(id, { cwd, kernel, idleTimeoutMs, env, ifExists: "error", signal });
    const other = session.cwdRequested === undefined ? "" : ` ${session.cwdRequested} could not be used.`;
    return text(`The session ${session.sessionId} works in ${session.cwd ?? "its folder"}.${other}`);
  },
};

/** `restart_session` */
export const restartSession: Tool<typeof SessionInput> = {
  name: "restart_session",
  title: "Restart a session",
  description:
    "Gives a session a fresh kernel: all Python variables and imports are gone, plugins are loaded again, files stay. What runs is ended.",
  input: SessionInput,
  annotations: { destructiveHint: true, idempotentHint: true },
  async run({ session_id: id }, { client, defaultSession, signal }) {
    return text(lineOf(await client.restart(id ?? defaultSession.id, { signal })));
  },
};

const StopInput = Type.Object({ session_id: SessionId }, { additionalProperties: false });

/** `stop_session` */
export const stopSession: Tool<typeof StopInput> = {
  name: "stop_session",
  title: "Stop a session",
  description: "Ends a session for good: what runs, its variables, its plugins. Its files stay in their folder.",
  input: StopInput,
  annotations: { destructiveHint: true, idempotentHint: true },
  async run({ session_id: id }, { client, signal }) {
    await client.stop(id, { signal });
    return text(`The session ${id} is stopped.`);
  },
};

/** `list_variables` */
export const listVariables: Tool<typeof SessionInput> = {
  name: "list_variables",
  title: "List the variables",
  description: `Lists the user's Python variables of a session with their shortened values, as the last code that ran left them. To see more of a value, print it with
run_code.`,
  input: SessionInput,
  annotations: { readOnlyHint: true },
  async run({ session_id: id }, { client, defaultSession, signal }) {
    const session = id ?? defaultSession.id;
    const { status, kernel_started_at } = await client.getSessionInfo(session, { signal });
    for (const { execution_id, state } of await client.listExecutions(session, { signal })) {
      const { result } = state === "done" ? await client.getExecution(session, execution_id, { signal }) : {};
      // What never ran says nothing of the variables.
      if (result === undefined || result.reason === "cancelled") continue;
      // A kernel that came after it has none of its variables.
      if (status === "stopped" || Date.parse(kernel_started_at ?? "") > Date.parse(result.finished_at)) break;
      const lines = result.variables.map(([name, value]) => `${name} = ${value}`).join("\n");
      const list = lines === "" ? "none" : shorten(lines, () => "print single variables with run_code");
      return text(`The variables of the session ${session} after ${execution_id} (${result.finished_at}):`, list);
    }
    return text(`The session ${session} has no variables: nothing has run in its kernel yet.`);
  },
};

const SetVariablesInput = Type.Object({ session_id, variables: record(Type.String(), "Texts by name") }, { additionalProperties: false });

/** `set_session_variables` */
export const setSessionVariables: Tool<typeof SetVariablesInput> = {
  name: "set_session_variables",
  title: "Set session variables",
  description: `Sets session variables: texts that plugins read with ctx.get_session_var(name). They are not Python variables (assign those with run_code), and are kept
when the kernel is restarted.`,
  input: SetVariablesInput,
  annotations: { destructiveHint: false, idempotentHint: true },
  async run({ session_id: id, variables }, { client, defaultSession, signal }) {
    const session = await defaultSession.idFor(client, id);
    await client.updateSessionVar(session, variables, { signal });
    return text(`Set in the session ${session}: ${Object.keys(variables).join(", ")}.`);
  },
};

function lineOf({ session_id: id, status, busy, kernel, cwd, execution_count, loaded_plugins, last_activity }: SessionInfo): string {
  const state = busy ? "busy" : status;
  const plugins = loaded_plugins.length === 0 ? "" : `, plugins: ${loaded_plugins.join(", ")}`;
  return `${id}: ${state}, kernel ${kernel}, ${execution_count} executions, last used ${last_activity}, folder ${cwd}${plugins}`;
}
