/** The console's own commands. */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { nearest } from "../../config.ts";
import { messageOf, UsageError } from "../../errors.ts";
import type { ConsoleSession } from "./console-session.ts";
import type { Display } from "./display.ts";

/** What a command may use. */
export interface CommandContext {
  session: ConsoleSession;
  display: Display;
  /** The current folder, absolute. */
  cwd: string;
  /** Ends the console. */
  exit: () => void;
  /** Commands beyond these. */
  more?: readonly SlashCommand[];
  /** What is typed without a slash, for `/help`. */
  remark?: string;
}

/** A command. */
export interface SlashCommand {
  name: string;
  usage: string;
  description: string;
  run(context: CommandContext, argument: string): void | Promise<void>;
}

const COMMANDS: SlashCommand[] = [
  { name: "load", usage: "/load FILE", description: "copy a file of this machine into the session's folder", run: load },
  { name: "plugins", usage: "/plugins", description: "the plugins of the project, and whether they are loaded", run: plugins },
  { name: "vars", usage: "/vars", description: "the session's Python variables", run: variables },
  { name: "artifacts", usage: "/artifacts", description: "what was saved so far, and where", run: artifacts },
  { name: "interrupt", usage: "/interrupt", description: "interrupt what runs; Ctrl-C does the same", run: interrupt },
  { name: "restart", usage: "/restart", description: "a fresh kernel: variables are gone, plugins are loaded again", run: restart },
  { name: "help", usage: "/help", description: "this list", run: help },
  { name: "exit", usage: "/exit", description: "end the session and leave; Ctrl-D does the same", run: ({ exit }) => exit() },
];

/**
 * Runs a command.
 * @param text As it was typed, with its slash.
 * @throws UsageError for one that does not exist or is not well written.
 */
export async function runSlashCommand(text: string, context: CommandContext): Promise<void> {
  const [, name = "", argument = ""] = /^\/(\S*)\s*(.*)$/s.exec(text.trim()) ?? [];
  const commands = allCommands(context);
  const command = commands.find((each) => each.name === name);
  if (command === undefined) {
    const meant = nearest(
      name,
      commands.map((each) => each.name),
    );
    throw new UsageError(`There is no command /${name}${meant === undefined ? "; /help lists them." : `: did you mean /${meant}?`}`);
  }
  await command.run(context, argument);
}

/** The commands that begin with what was typed; one that wants an argument with a space behind. */
export function completeSlashCommand(text: string, more: readonly SlashCommand[] = []): string[] {
  return [...more, ...COMMANDS]
    .map(({ name, usage }) => (usage.includes(" ") ? `/${name} ` : `/${name}`))
    .filter((name) => name.startsWith(text));
}

/** A path as it was typed, absolute; `~` is the user's own folder, as in a shell. */
export function localPath(cwd: string, typed: string): string {
  return resolve(cwd, typed === "~" || typed.startsWith("~/") ? join(homedir(), typed.slice(1)) : typed);
}

async function load({ session, display, cwd }: CommandContext, argument: string): Promise<void> {
  if (argument === "") throw new UsageError("Name the file: /load data.csv");
  const path = localPath(cwd, argument.replace(/^(['"])(.*)\1$/, "$2"));
  let content: Blob;
  try {
    // A folder opens as a blob, too, and of a file that is not there a blob does not say so.
    if (!(await stat(path)).isFile()) throw new Error("it is not a file");
    content = await openAsBlob(path);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
  const info = await session.handle.uploadFile(basename(path), content);
  display.line(`${info.path}, ${info.size} bytes: code finds it under this name.`);
}

async function plugins({ session, display }: CommandContext): Promise<void> {
  const { loaded_plugins: loaded } = await session.handle.getSessionInfo();
  const known = session.plugins.map(({ plugin, error }) => ({
    name: plugin.name,
    state: loaded.includes(plugin.name) ? "loaded" : plugin.isEnabled ? "failed" : "off",
    text: error ?? plugin.description.replaceAll(/\s+/g, " "),
  }));
  const others = loaded.filter((name) => known.every((each) => each.name !== name)).map((name) => ({ name, state: "loaded", text: "" }));
  const rows = [...known, ...others];
  if (rows.length === 0) display.line("No plugins: put a .yaml and a .py file into the project's plugins folder.");
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, state, text } of rows) display.line(`${name.padEnd(width)}  ${state.padEnd(6)}  ${text}`.trimEnd());
}

async function variables({ session, display }: CommandContext): Promise<void> {
  const entries = await session.variables();
  if (entries.length === 0) display.line("No variables yet.");
  for (const [name, text] of entries) display.line(`${display.paint("bold", name)} = ${text.includes("\n") ? `\n${text}` : text}`);
}

function artifacts({ display }: CommandContext): void {
  if (display.saved.length === 0) display.line("No artifacts yet.");
  for (const { artifact, path } of display.saved) display.line(`${artifact.type.padEnd(6)}  ${path}`);
}

async function interrupt({ session, display }: CommandContext): Promise<void> {
  if (!(await session.interrupt())) display.line("Nothing is running.");
}

async function restart({ session, display }: CommandContext): Promise<void> {
  await session.handle.restart();
  session.forgetVariables();
  display.line("The session has a fresh kernel.");
}

function help(context: CommandContext): void {
  const { display, remark = "Everything else is Python. Enter runs a cell that is complete; Alt-Enter begins another line." } = context;
  const commands = allCommands(context);
  const width = Math.max(...commands.map(({ usage }) => usage.length));
  for (const { usage, description } of commands) display.line(`${usage.padEnd(width)}  ${description}`);
  display.line(remark);
}

function allCommands({ more = [] }: CommandContext): readonly SlashCommand[] {
  return [...more, ...COMMANDS];
}
