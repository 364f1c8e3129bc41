/** What was typed in earlier consoles: one JSON text per line, so that cells of several lines stay whole. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { Terminal } from "../terminal.ts";

const MOST_ENTRIES = 1000;

/** The console's history file. */
export class History {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** In the user's state folder. */
  static ofUser(env: Terminal["env"], name = "history.jsonl"): History {
    const state = env["XDG_STATE_HOME"];
    return new History(join(state !== undefined && state !== "" ? state : join(homedir(), ".local/state"), "taskweaver", name));
  }

  /** The entries, newest first; none where there is no history that can be read. */
  load(): string[] {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch {
      return [];
    }
    const entries = text.split("\n").flatMap(parseEntry);
    if (entries.length > 2 * MOST_ENTRIES) this.#rewrite(entries.slice(-MOST_ENTRIES));
    return entries.slice(-MOST_ENTRIES).toReversed();
  }

  /** Adds an entry; a history that cannot be kept is no reason to disturb anyone. */
  add(entry: string): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    } catch {
      // Nothing to do about it.
    }
  }

  #rewrite(entries: string[]): void {
    try {
      writeFileSync(this.#path, `${entries.map((entry) => JSON.stringify(entry)).join("\n")}\n`, { mode: 0o600 });
    } catch {
      // It is only long.
    }
  }
}

function parseEntry(line: string): string[] {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === "string" ? [entry] : [];
  } catch {
    return [];
  }
}
