/** What Tab offers: the console's commands, this machine's files after `/load`, and else what the kernel knows. */
import { readdir } from "node:fs/promises";
import type { ConsoleSession } from "./console-session.ts";
import { completeSlashCommand, localPath, type SlashCommand } from "./slash-commands.ts";

/** What could stand in the place of the last that was typed. */
export interface Completion {
  candidates: string[];
  /** The end of the text that they replace. */
  typed: string;
}

/** Completes the text before the cursor; never rejects. */
export type Completer = (text: string) => Promise<Completion>;

/** Where candidates come from. */
export interface CompletionSources {
  session: ConsoleSession;
  /** The current folder, absolute. */
  cwd: string;
  /** Commands beyond the console's own. */
  more?: readonly SlashCommand[];
  /** Whether all else is Python. */
  isPython: boolean;
}

/** Longer than a kernel takes to load what it completes with, the first time; the keyboard goes on meanwhile. */
const TIMEOUT_MS = 10_000;

/** Makes the completer of a console. */
export function createCompleter({ session, cwd, more = [], isPython }: CompletionSources): Completer {
  return async (text) => {
    const argument = /^\/load\s+(["']?)(.*)$/s.exec(text);
    if (argument !== null) return { candidates: await filesFrom(cwd, argument[2] ?? ""), typed: argument[2] ?? "" };
    if (text.startsWith("/")) return { candidates: completeSlashCommand(text, more), typed: text };
    return isPython ? ofKernel(session, text) : NOTHING;
  };
}

const NOTHING: Completion = { candidates: [], typed: "" };

/** What begins as the path that was typed; folders end with a slash. */
async function filesFrom(cwd: string, typed: string): Promise<string[]> {
  const folderTyped = typed.slice(0, typed.lastIndexOf("/") + 1);
  const begin = typed.slice(folderTyped.length);
  const entries = await readdir(localPath(cwd, folderTyped), { withFileTypes: true }).catch(() => []);
  return entries
    .filter(({ name }) => name.startsWith(begin) && (begin !== "" || !name.startsWith(".")))
    .map((entry) => `${folderTyped}${entry.name}${entry.isDirectory() ? "/" : ""}`)
    .toSorted();
}

async function ofKernel({ handle }: ConsoleSession, text: string): Promise<Completion> {
  const characters = Array.from(text);
  try {
    const { matches, cursor_start: start } = await handle.client.complete(handle.sessionId, text, characters.length, {
      timeoutMs: TIMEOUT_MS,
    });
    const typed = characters.slice(start).join("");
    return { candidates: matches.filter((match) => goesOn(match, typed)), typed };
  } catch {
    return NOTHING;
  }
}

/** A kernel also offers what begins otherwise. Private names and magics are of use only to who began one. */
function goesOn(match: string, typed: string): boolean {
  const isHidden = (text: string) => /^[_%]/.test(text.slice(text.lastIndexOf(".") + 1));
  return match.startsWith(typed) && (!isHidden(match) || isHidden(typed));
}
