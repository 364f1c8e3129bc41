/** `taskweaver sessions export`: a session as a notebook. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { UsageError } from "../../../errors.ts";
import { EXIT, type Terminal } from "../../terminal.ts";
import { sessionsClient, type SessionsCommandOptions } from "./client.ts";

/** What the command was given. */
export interface ExportOptions extends SessionsCommandOptions {
  /** Whether a file that is there may be replaced. */
  force?: boolean;
}

/**
 * Writes the notebook.
 * @param file `-` for standard output; the session's id with `.ipynb` by default.
 * @throws UsageError where the file is there already.
 */
export async function exportCommand(id: string, file: string | undefined, options: ExportOptions, terminal: Terminal): Promise<number> {
  const client = await sessionsClient(options, terminal);
  const text = `${JSON.stringify(await client.exportNotebook(id), null, 1)}\n`;
  if (file === "-") {
    terminal.stdout.write(text);
    return EXIT.ok;
  }
  const name = file ?? `${id}.ipynb`;
  try {
    await writeFile(resolve(terminal.cwd, name), text, { flag: options.force === true ? "w" : "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new UsageError(`${name} is there already; --force replaces it.`);
  }
  terminal.stdout.write(`${name} is written.\n`);
  return EXIT.ok;
}
