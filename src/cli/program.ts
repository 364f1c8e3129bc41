/** The table of commands: arguments in, exit code out. A command's code is loaded when it is called. */
import { Command } from "commander";
import { VERSION } from "../paths.ts";
import { reportFailure } from "./failure.ts";
import { addOptionsOf, addSettingOptions, collectFlags } from "./options.ts";
import { EXIT, type Terminal } from "./terminal.ts";

const CONNECTION_SETTINGS = [
  "url",
  "api_key",
  "timeout",
  "auto_start",
  "container",
  "host",
  "port",
  "socket",
  "work_dir",
  "python",
] as const;

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
    return reportFailure(error, terminal, program.opts<{ debug?: boolean }>().debug === true);
  }
}

function buildProgram(terminal: Terminal, onExit: (code: number) => void): Command {
  const program = new Command("taskweaver")
    .description("Runs an agent's Python in stateful Jupyter kernels.")
    .version(VERSION, "-V, --version", "print the version")
    .option("-p, --project <dir>", "the project's folder; else taskweaver_config.json is searched upwards")
    .option("--debug", "show where an error came from")
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.stdout.write(text), writeErr: (text) => terminal.stderr.write(text) })
    .showHelpAfterError("(--help shows what there is)");
  const project = () => program.opts<{ project?: string }>().project;

  const server = program
    .command("server")
    .description("serve the HTTP API until Ctrl-C")
    .action(async (_options: unknown, command: Command) => {
      const { serverCommand } = await import("./commands/server.ts");
      onExit(await serverCommand({ flags: collectFlags(command), project: project() }, terminal));
    });
  addSettingOptions(server, ["server", "both"], ["host", "port", "work_dir", "api_key", "log_level", "require_key", "python"]);
  server.addHelpText(
    "after",
    "\nEvery option is also an environment variable (--work-dir is TASKWEAVER_SERVER_WORK_DIR, --python TASKWEAVER_PYTHON)\nand a key of taskweaver_config.json (execution.server.work_dir).",
  );

  const run = program
    .command("run")
    .description("run code once: output as it comes, artifacts saved, the exit code tells")
    .argument("[file]", "a Python file; - for standard input")
    .option("-c, --code <code>", "the code itself")
    .option(
      "--plugin <file>",
      "load a plugin first, a .py or .yaml file; may be repeated",
      (file: string, files: string[]) => [...files, file],
      [],
    )
    .option("--output-dir <dir>", "where artifacts go; the current folder by default")
    .option("--json", "print the result as JSON instead of the output")
    .option("--kernel <name>", "another kernel than python3")
    .action(async (file: string | undefined, options: RunFlags, command: Command) => {
      const { runCommand } = await import("./commands/run.ts");
      onExit(await runCommand({ ...options, file, flags: collectFlags(command), project: project() }, terminal));
    });
  addOptionsOf(run, CONNECTION_SETTINGS, {
    timeout: "seconds that the code may run; no limit by default",
    url: "a server to run it on; by default the one that runs here, or one of its own",
    socket: "the same, on a Unix socket",
  });

  return program;
}

/** The options of `run` that are no settings, as commander gives them. */
export interface RunFlags {
  code?: string;
  plugin?: string[];
  outputDir?: string;
  json?: boolean;
  kernel?: string;
}
