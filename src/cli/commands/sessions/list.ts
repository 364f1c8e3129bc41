/** `taskweaver sessions list` and `stop`. */
import type { SessionInfo } from "../../../client/index.ts";
import { EXIT, type Terminal } from "../../terminal.ts";
import { sessionsClient, type SessionsCommandOptions } from "./client.ts";

/** Lists the sessions of a running server. */
export async function listCommand(options: SessionsCommandOptions & { json?: boolean }, terminal: Terminal): Promise<number> {
  const client = await sessionsClient(options, terminal);
  const sessions = await client.listSessions();
  terminal.stdout.write(options.json === true ? `${JSON.stringify(sessions, null, 2)}\n` : table(sessions, client.url));
  return EXIT.ok;
}

/** Stops sessions. One that is not there is a fault, after the others are stopped. */
export async function stopCommand(ids: string[], options: SessionsCommandOptions, terminal: Terminal): Promise<number> {
  const client = await sessionsClient(options, terminal);
  let fault: Error | undefined;
  for (const id of ids) {
    try {
      await client.getSessionInfo(id);
      await client.stop(id);
      terminal.stdout.write(`${id} is stopped; its files stay.\n`);
    } catch (error) {
      fault ??= error instanceof Error ? error : new Error(String(error));
    }
  }
  if (fault !== undefined) throw fault;
  return EXIT.ok;
}

function table(sessions: SessionInfo[], url: string): string {
  if (sessions.length === 0) return `No sessions on ${url}.\n`;
  const head = ["SESSION", "STATUS", "RUNS", "LAST ACTIVITY", "FOLDER"];
  const rows = sessions.map((each) => [
    each.session_id,
    each.busy ? "busy" : each.status,
    String(each.execution_count),
    each.last_activity,
    each.cwd,
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
