/** Finds and reads `taskweaver_config.json`. */
import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { messageOf, UsageError } from "../errors.ts";
import { nearest } from "./nearest.ts";
import { FILE_KEY_PREFIX, fileKey, SETTING_NAMES, settingSchema, type SettingName } from "./settings.ts";

/** The configuration file's name, in the project's folder. */
export const CONFIG_FILE_NAME = "taskweaver_config.json";

/** A configuration file that was read; its values are checked when settings are resolved. */
export interface ConfigFile {
  /** Where it is, or would be in a named project that has none. */
  path: string;
  /** The project's folder; relative paths in the file begin here. */
  directory: string;
  values: { [Name in SettingName]?: unknown };
}

/** Where a configuration file is looked for. */
export interface FindConfigOptions {
  /** `-p DIR`: the project's folder; without it folders are searched upwards. */
  project?: string | undefined;
  /** Where the upward search begins; the current folder by default. */
  from?: string;
}

/**
 * Reads the project's configuration.
 * @returns null where no project is named and none is found.
 * @throws UsageError for a project folder that does not exist, broken JSON, or a key that does not exist.
 */
export function loadConfigFile(options: FindConfigOptions = {}): ConfigFile | null {
  const from = resolve(options.from ?? ".");
  const path = options.project === undefined ? searchUpwards(from) : inProject(resolve(from, options.project));
  if (path === null) return null;
  return { path, directory: dirname(path), values: isFile(path) ? readValues(path) : {} };
}

function inProject(directory: string): string {
  if (!isDirectory(directory)) {
    throw new UsageError(`There is no project folder ${directory}: make one with \`taskweaver init ${directory}\`.`);
  }
  return join(directory, CONFIG_FILE_NAME);
}

function searchUpwards(from: string): string | null {
  for (let directory = from; ; directory = dirname(directory)) {
    const path = join(directory, CONFIG_FILE_NAME);
    // A file that any user could have laid above us (in /tmp) must not choose which Python we run or where a key is sent.
    if (isFile(path) && (directory === from || !writableByAnyone(directory))) return path;
    if (directory === dirname(directory)) return null;
  }
}

function readValues(path: string): ConfigFile["values"] {
  let text: string;
  try {
    text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path} is not valid JSON: ${withLine(messageOf(error), text)}.`, { cause: error });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`${path} must hold one JSON object, e.g. {"${FILE_KEY_PREFIX}port": 8000}.`);
  }
  const values: ConfigFile["values"] = {};
  for (const [key, value] of Object.entries(parsed)) {
    const name = settingOf(key, path);
    if (name !== null) values[name] = value;
  }
  return values;
}

/** Where the parser counts characters from the start, an editor shows lines. */
function withLine(message: string, text: string): string {
  const [, what, position] = /^(.*?) in JSON at position (\d+)/s.exec(message) ?? [];
  if (what === undefined) return message;
  const lines = text.slice(0, Number(position)).split("\n");
  return `${what} in line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

/** Keys of TaskWeaver's other parts (`llm.response_format`) are not ours; what looks like one of ours and is none is an error. */
function settingOf(key: string, path: string): SettingName | null {
  const known = SETTING_NAMES.filter((name) => settingSchema(name).notes.hidden !== true);
  const exact = known.find((name) => fileKey(name) === key);
  if (exact !== undefined) return exact;
  if (key === "execution" || key === "execution.server") {
    throw new UsageError(`"${key}" in ${path} is not nested: write each setting as one key, e.g. "${FILE_KEY_PREFIX}port": 8000.`);
  }
  const dot = key.lastIndexOf(".");
  if (nearest(key.slice(0, dot + 1), [FILE_KEY_PREFIX], 2) === undefined) {
    // TaskWeaver has many keys beside those of the model: only a slip of one letter is surely one.
    const meant = nearest(key, known.map(fileKey), 1);
    if (meant === undefined) return null;
    throw notASetting(key, path, meant);
  }
  const ours = known.filter((name) => settingSchema(name).notes.key === undefined);
  const name = nearest(key.slice(dot + 1), ours);
  throw notASetting(key, path, name === undefined ? undefined : FILE_KEY_PREFIX + name);
}

function notASetting(key: string, path: string, meant: string | undefined): UsageError {
  const advice = meant === undefined ? "; docs/configuration.md lists them." : `: did you mean "${meant}"?`;
  return new UsageError(`"${key}" in ${path} is not a setting${advice}`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function writableByAnyone(directory: string): boolean {
  return process.platform !== "win32" && (statSync(directory).mode & 0o002) !== 0;
}
