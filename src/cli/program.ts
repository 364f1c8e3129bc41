/** The table of commands: arguments in, exit code out. A command's code is loaded when it is called. */
import { Command } from "commander";
import { GATEWAY_SETTINGS, loadConfigFile, nearest, resolveServerSettings, resolveClientSettings, type SettingName } from "../config.ts";
import { UsageError } from "../errors.ts";
import { VERSION } from "../paths.ts";
import { reportFailure } from "./failure.ts";
import { addOptionsOf, addSettingOptions, collectFlags } from "./options.ts";
import { addSessionsCommands } from "./sessions-program.ts";
import { EXIT, type Terminal } from "./terminal.ts";

const SERVER_FIRST: SettingName[] = ["host", "port", "work_dir", "api_key", "log_level", "require_key", "python"];
const RUN_SETTINGS: SettingName[] = ["url", "socket", "api_key", "timeout", "auto_start", "container", "python"];
const CONSOLE_SETTINGS: SettingName[] = [
  "url",
  "host",
  "port",
  "socket",
  "api_key",
  "timeout",
  "auto_start",
  "container",
  "work_dir",
  "python",
];
const MODEL_SETTINGS: SettingName[] = ["llm_model", "llm_api_type", "llm_api_base", "llm_send_images", "llm_azure_api_version"];
const DOCTOR_SETTINGS: SettingName[] = [
  "host",
  "port",
  "work_dir",
  "container",
  "python",
  "session_memory",
  "session_processes",
  "sandbox",
];

/**
 * Runs one command.
 * @param args Without the interpreter and the script.
 * @returns the exit code.
 */
export async function runCli(args: string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = buildProgram(terminal, (code) => (exitCode = code));
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    return reportFailure(error, terminal, program.opts<GlobalFlags>().debug === true);
  }
}

interface GlobalFlags {
  project?: string;
  debug?: boolean;
}

interface RunFlags {
  code?: string;
  plugin?: string[];
  outputDir?: string;
  json?: boolean;
  kernel?: string;
}

function buildProgram(terminal: Terminal, onExit: (code: number) => void): Command {
  const program = new Command("taskweaver")
    .description("Runs an agent's Python in stateful Jupyter kernels. Without a command: the chat, or the console where no model is named.")
    .version(VERSION, "-V, --version", "print the version")
    .option("-p, --project <dir>", "the project's folder; else taskweaver_config.json is searched upwards")
    .option("--debug", "show where an error came from")
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.stdout.write(text), writeErr: (text) => terminal.stderr.write(text) })
    .showHelpAfterError("(--help shows what there is)");
  const project = () => program.opts<GlobalFlags>().project;

  const chat = program
    .command("chat", { isDefault: true })
    .description("ask a language model, which answers by running code; without a model (llm.model) this is the console")
    .argument("[command]")
    .option("--session <id>", "go on with a session, or name the new one")
    .option("--confirm", "ask before code runs")
    .action(async (unknown: string | undefined, options: { session?: string; confirm?: boolean }, command: Command) => {
      if (unknown !== undefined) throw unknownCommand(unknown, program);
      const { chatCommand } = await import("./commands/chat.ts");
      const isNamed = program.args[0] === command.name();
      onExit(await chatCommand({ ...options, isNamed, flags: collectFlags(command), project: project() }, terminal));
    });
  addOptionsOf(chat, [...MODEL_SETTINGS, ...CONSOLE_SETTINGS], { timeout: "seconds that code is waited for; no limit by default" });

  const console = program
    .command("console")
    .description("the interactive client: cells in, output, values and figures out")
    .option("--session <id>", "go on with a session, or name the new one")
    .action(async (options: { session?: string }, command: Command) => {
      const { consoleCommand } = await import("./commands/console.ts");
      onExit(await consoleCommand({ ...options, flags: collectFlags(command), project: project() }, terminal));
    });
  addOptionsOf(console, CONSOLE_SETTINGS, { timeout: "seconds that each cell is waited for; no limit by default" });

  const run = program
    .command("run")
    .description("run code once: output as it comes, artifacts saved, the exit code tells")
    .argument("[file]", "a Python file; - for standard input")
    .option("-c, --code <code>", "the code itself")
    .option("--plugin <file>", "load a plugin first, a .py or .yaml file; may be repeated", (file: string, files: string[] | undefined) => [
      ...(files ?? []),
      file,
    ])
    .option("--output-dir <dir>", "where artifacts go; the current folder by default")
    .option("--json", "print the result as JSON instead of the output")
    .option("--kernel <name>", "another kernel than python3")
    .action(async (file: string | undefined, options: RunFlags, command: Command) => {
      const { runCommand } = await import("./commands/run.ts");
      onExit(await runCommand({ ...options, file, flags: collectFlags(command), project: project() }, terminal));
    });
  addOptionsOf(run, RUN_SETTINGS, {
    url: "a server to run it on; by default the one that runs here, or one of its own",
    socket: "the same, on a Unix socket",
    timeout: "seconds that the code may run; no limit by default",
  });

  const server = program
    .command("server")
    .description("serve the HTTP API until Ctrl-C")
    .action(async (_options: unknown, command: Command) => {
      const { serverCommand } = await import("./commands/server.ts");
      onExit(await serverCommand({ flags: collectFlags(command), project: project() }, terminal));
    });
  addSettingOptions(server, ["server", "both"], SERVER_FIRST);
  server.addHelpText(
    "after",
    "\nEvery option is also an environment variable (--work-dir: TASKWEAVER_SERVER_WORK_DIR, --python: TASKWEAVER_PYTHON)\n" +
      "and a key of taskweaver_config.json (execution.server.work_dir).",
  );

  const gateway = program
    .command("gateway")
    .description("serve many executors, each a `taskweaver server`, on one address until Ctrl-C")
    .action(async (_options: unknown, command: Command) => {
      const { gatewayCommand } = await import("./commands/gateway.ts");
      onExit(await gatewayCommand({ flags: collectFlags(command), project: project() }, terminal));
    });
  addOptionsOf(gateway, GATEWAY_SETTINGS, { work_dir: "folder for the key that is made where none is given" });

  addSessionsCommands(program, { terminal, project, onExit });

  const mcp = program
    .command("mcp")
    .description("serve the Model Context Protocol over standard input and output")
    .option("--session <id>", "the session of calls that name none; it is kept when the client leaves")
    .action(async (options: { session?: string }, command: Command) => {
      const { mcpCommand } = await import("./commands/mcp.ts");
      onExit(await mcpCommand({ ...options, flags: collectFlags(command), project: project() }, terminal));
    });
  addOptionsOf(mcp, CONSOLE_SETTINGS, { timeout: "seconds that a call to the server may take; code takes as long as it likes" });

  program
    .command("init")
    .description("write a project with a sample plugin")
    .argument("<dir>", "its folder; made where it is absent")
    .action(async (directory: string) => {
      const { initCommand } = await import("./commands/init.ts");
      onExit(await initCommand(directory, terminal));
    });

  const doctor = program
    .command("doctor")
    .description("what is missing on this machine, and the command that mends it")
    .option("--json", "print JSON")
    .action(async (options: { json?: boolean }, command: Command) => {
      const file = loadConfigFile({ project: project(), from: terminal.cwd });
      const flags = collectFlags(command);
      const { host, port, workDir, python, sandbox, sessionMemoryBytes, sessionProcesses } = resolveServerSettings(
        flags,
        terminal.env,
        file,
      );
      const container = resolveClientSettings(flags, terminal.env, file).container !== null;
      const { doctor: examine } = await import("./commands/doctor.ts");
      const sessionLimits = { memoryBytes: sessionMemoryBytes, processes: sessionProcesses };
      const examined = { python: python ?? "", host, port, workDirectory: workDir, sessionLimits, sandbox, container };
      onExit(await examine({ ...options, ...examined }, terminal.stdout));
    });
  addOptionsOf(doctor, DOCTOR_SETTINGS);

  return program;
}

/** The chat is the default, so commander takes a misspelt command for its argument. */
function unknownCommand(name: string, program: Command): UsageError {
  const meant = nearest(
    name,
    program.commands.map((command) => command.name()),
  );
  return new UsageError(`There is no command "${name}"${meant === undefined ? "; --help lists them." : `: did you mean ${meant}?`}`);
}
