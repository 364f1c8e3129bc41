/** `taskweaver sessions show` and `attach`: one session looked at, or gone on with. */
import type { ExecutionClient, SessionInfo, VariableEntry } from "../../../client/index.ts";
import { EXIT, type Terminal } from "../../terminal.ts";
import { consoleCommand } from "../console.ts";
import { sessionsClient, type SessionsCommandOptions } from "./client.ts";

const LAST_EXECUTIONS = 5;

/** Shows what a session is, what it ran last and its variables. */
export async function showCommand(id: string, options: SessionsCommandOptions & { json?: boolean }, terminal: Terminal): Promise<number> {
  const client = await sessionsClient(options, terminal);
  const session = await client.getSessionInfo(id);
  const executions = (await client.listExecutions(id)).slice(0, LAST_EXECUTIONS);
  const variables = await variablesOf(client, session);
  if (options.json === true) {
    terminal.stdout.write(`${JSON.stringify({ ...session, executions, variables }, null, 2)}\n`);
    return EXIT.ok;
  }
  const { memory_bytes: memory, loaded_plugins: plugins } = session;
  const lines = [
    ["session", session.session_id],
    ["status", session.busy ? "busy" : session.status],
    ["kernel", session.kernel],
    ["memory", memory === undefined ? "-" : `${Math.round(memory / 2 ** 20)} MB`],
    ["folder", session.cwd],
    ["created", session.created_at],
    ["last used", session.last_activity],
    ["plugins", plugins.length === 0 ? "-" : plugins.join(", ")],
    ["executions", String(session.execution_count)],
    ...executions.map(({ execution_id, state, queued_at }) => ["", `${queued_at}  ${state}  ${execution_id}`]),
    ["variables", variables.length === 0 ? "-" : String(variables.length)],
    ...variables.map(([name, text]) => ["", `${name} = ${firstLine(text)}`]),
  ];
  terminal.stdout.write(lines.map(([name = "", text = ""]) => `${name.padEnd(12)}${text}\n`).join(""));
  return EXIT.ok;
}

/** The interactive client on a session that is there; the session stays when the client leaves. */
export async function attachCommand(id: string, options: SessionsCommandOptions, terminal: Terminal): Promise<number> {
  await (await sessionsClient(options, terminal)).getSessionInfo(id);
  return consoleCommand({ project: options.project, flags: { ...options.flags, auto_start: false }, session: id }, terminal);
}

/** As the last execution left them; none where a fresh kernel has come since. */
async function variablesOf(client: ExecutionClient, { session_id: id, status, kernel_started_at }: SessionInfo): Promise<VariableEntry[]> {
  for (const { execution_id, state } of status === "stopped" ? [] : await client.listExecutions(id)) {
    const { result } = state === "done" ? await client.getExecution(id, execution_id) : {};
    if (result === undefined || result.reason === "cancelled") continue;
    return Date.parse(kernel_started_at ?? "") > Date.parse(result.finished_at) ? [] : result.variables;
  }
  return [];
}

function firstLine(text: string): string {
  const [line = "", ...rest] = text.split("\n");
  return rest.length === 0 ? line : `${line} …`;
}
