/** Reads plugins from files: TaskWeaver's YAML beside its Python, or a Python file alone. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { parse } from "yaml";
import type { PluginSource } from "../client/index.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { PluginValue } from "../interpreter/index.ts";

/** A plugin of a project, as its YAML describes it. */
export interface ProjectPlugin extends PluginSource {
  /** The file that describes it. */
  path: string;
  isEnabled: boolean;
  description: string;
  /** What it takes and gives, for whoever writes code that calls it. */
  parameters: PluginValue[];
  returns: PluginValue[];
}

/** A file of the plugins folder that is no plugin, and why. */
export interface BrokenPlugin {
  path: string;
  error: UsageError;
}

/** The plugins of a project's `plugins` folder, by name; one broken file spoils no other. */
export function readProjectPlugins(projectDirectory: string): { plugins: ProjectPlugin[]; broken: BrokenPlugin[] } {
  const folder = join(projectDirectory, "plugins");
  const plugins: ProjectPlugin[] = [];
  const broken: BrokenPlugin[] = [];
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return { plugins, broken };
  for (const file of readdirSync(folder).toSorted()) {
    if (!isYaml(file)) continue;
    const path = join(folder, file);
    try {
      const plugin = readPluginYaml(path);
      const twin = plugins.find(({ name }) => name === plugin.name);
      if (twin !== undefined) throw new UsageError(`${path} describes "${plugin.name}", which ${twin.path} does already.`);
      plugins.push(plugin);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      broken.push({ path, error });
    }
  }
  return { plugins, broken };
}

/**
 * Reads one plugin for a session.
 * @param path A `.yaml` beside its implementation, or a `.py` whose name is the plugin's.
 * @throws UsageError
 */
export function readPluginFile(path: string): PluginSource {
  if (isYaml(path)) return readPluginYaml(path);
  if (extname(path) !== ".py") throw new UsageError(`${path} is no plugin: name a .py file, or the .yaml file beside it.`);
  const described = [".yaml", ".yml"].map((extension) => path.slice(0, -3) + extension).find(isFile);
  return described === undefined ? { name: basename(path, ".py"), code: readText(path) } : readPluginYaml(described);
}

function readPluginYaml(path: string): ProjectPlugin {
  const content = parseYaml(path);
  const field = <T>(key: string, check: (value: unknown) => value is T, expected: string, fallback: T): T => {
    const value = content[key] ?? fallback;
    if (!check(value)) throw new UsageError(`"${key}" in ${path} must be ${expected}.`);
    return value;
  };
  const name = field("name", isText, "the plugin's name", "");
  if (name === "") throw new UsageError(`${path} names no plugin: "name" is missing.`);
  const implementation = field("code", isText, "the name of the Python file beside it", name);
  if (basename(implementation) !== implementation) throw new UsageError(`"code" in ${path} must be the name of a Python file beside it.`);
  return {
    path,
    name,
    isEnabled: field("enabled", isBoolean, "true or false", true),
    description: field("description", isText, "text", "").trim(),
    parameters: valuesOf(content["parameters"]),
    returns: valuesOf(content["returns"]),
    code: readText(join(dirname(path), implementation.endsWith(".py") ? implementation : `${implementation}.py`), path),
    config: field("configurations", isObject, "a mapping", {}),
  };
}

/** Only told to a model, so what does not fit is left out instead of refused. */
function valuesOf(list: unknown): PluginValue[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).flatMap(({ name, type, description, required }) => {
    const text = (value: unknown) => (isText(value) ? value.trim() : "");
    return text(name) === ""
      ? []
      : [{ name: text(name), type: text(type) || "Any", description: text(description), isRequired: required !== false }];
  });
}

function parseYaml(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = parse(readText(path));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path} is not valid YAML: ${messageOf(error).split("\n")[0]}`, { cause: error });
  }
  if (!isObject(content)) throw new UsageError(`${path} must describe one plugin: a mapping with at least "name".`);
  return content;
}

function readText(path: string, askedBy?: string): string {
  try {
    return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    const by = askedBy === undefined ? "" : `, which ${askedBy} asks for,`;
    throw new UsageError(`${path}${by} cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

function isYaml(file: string): boolean {
  return [".yaml", ".yml"].includes(extname(file));
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
