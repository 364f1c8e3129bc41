/** `taskweaver sessions`: the sessions of the configured server. */
import { ExecutionClient, type SessionInfo } from "../../client/index.ts";
import { loadConfigFile, resolveClientSettings, type FlagValues } from "../../config.ts";
import { connectionOptions } from "../../launcher/index.ts";
import { EXIT, type Terminal } from "../terminal.ts";

/** What the command was given. */
export interface SessionsCommandOptions {
  flags: FlagValues;
  project: string | undefined;
  json?: boolean;
  /** A session to stop; without it they are listed. */
  stop?: string;
}

/** Lists the sessions of a running server, or stops one; starts no server. */
export async function sessionsCommand(options: SessionsCommandOptions, terminal: Terminal): Promise<number> {
  const settings = resolveClientSettings(options.flags, terminal.env, loadConfigFile({ project: options.project, from: terminal.cwd }));
  const client = new ExecutionClient(connectionOptions(settings));
  if (options.stop !== undefined) {
    await client.stop(options.stop);
    terminal.stdout.write(`${options.stop} is stopped; its files stay.\n`);
    return EXIT.ok;
  }
  const sessions = await client.listSessions();
  terminal.stdout.write(options.json === true ? `${JSON.stringify(sessions, null, 2)}\n` : table(sessions, client.url));
  return EXIT.ok;
}

function table(sessions: SessionInfo[], url: string): string {
  if (sessions.length === 0) return `No sessions on ${url}.\n`;
  const head = ["SESSION", "STATUS", "RUNS", "LAST ACTIVITY", "FOLDER"];
  const rows = sessions.map((each) => [each.session_id, each.status, String(each.execution_count), each.last_activity, each.cwd]);
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
