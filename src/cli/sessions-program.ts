/** The commands below `taskweaver sessions`. */
import { InvalidArgumentError, type Command } from "commander";
import type { SettingName } from "../config.ts";
import { addOptionsOf, collectFlags } from "./options.ts";
import type { Terminal } from "./terminal.ts";

const ADDRESS_SETTINGS: SettingName[] = ["url", "host", "port", "socket", "api_key"];

/** What it is given by the program. */
export interface SessionsProgram {
  terminal: Terminal;
  /** The folder that `-p` names. */
  project: () => string | undefined;
  onExit: (code: number) => void;
}

/** Adds them; without a verb sessions are listed. */
export function addSessionsCommands(program: Command, { terminal, project, onExit }: SessionsProgram): void {
  const sessions = program.command("sessions").description("the sessions of a running server: list, show, attach, logs, stop, export");
  const common = (command: Command) => ({ flags: collectFlags(command), project: project() });

  const list = sessions
    .command("list", { isDefault: true })
    .description("list them")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }, command: Command) => {
      const { listCommand } = await import("./commands/sessions/list.ts");
      onExit(await listCommand({ ...options, ...common(command) }, terminal));
    });
  const show = sessions
    .command("show")
    .description("what a session is, what it ran last and its variables")
    .argument("<id>")
    .option("--json", "print JSON")
    .action(async (id: string, options: { json?: boolean }, command: Command) => {
      const { showCommand } = await import("./commands/sessions/show.ts");
      onExit(await showCommand(id, { ...options, ...common(command) }, terminal));
    });
  const attach = sessions
    .command("attach")
    .description("the interactive client in a session, which stays when you leave")
    .argument("<id>")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { attachCommand } = await import("./commands/sessions/show.ts");
      onExit(await attachCommand(id, common(command), terminal));
    });
  const logs = sessions
    .command("logs")
    .description("what ran in a session and what it wrote")
    .argument("<id>")
    .option("-f, --follow", "go on with what it writes and runs, until Ctrl-C")
    .option("-n, --last <number>", "begin with so many of the last executions", wholeNumber, 10)
    .action(async (id: string, options: { follow?: boolean; last: number }, command: Command) => {
      const { logsCommand } = await import("./commands/sessions/logs.ts");
      onExit(await logsCommand(id, { ...options, ...common(command) }, terminal));
    });
  const stop = sessions
    .command("stop")
    .description("stop sessions; their files stay")
    .argument("<id...>")
    .action(async (ids: string[], _options: unknown, command: Command) => {
      const { stopCommand } = await import("./commands/sessions/list.ts");
      onExit(await stopCommand(ids, common(command), terminal));
    });
  const exportVerb = sessions
    .command("export")
    .description("write a session as a notebook (.ipynb)")
    .argument("<id>")
    .argument("[file]", "ID.ipynb by default; - for standard output")
    .option("--force", "replace a file that is there")
    .action(async (id: string, file: string | undefined, options: { force?: boolean }, command: Command) => {
      const { exportCommand } = await import("./commands/sessions/export.ts");
      onExit(await exportCommand(id, file, { ...options, ...common(command) }, terminal));
    });
  for (const command of [list, show, attach, logs, stop, exportVerb]) addOptionsOf(command, ADDRESS_SETTINGS);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("A whole number is needed.");
  return Number(text);
}
