/** Looks for Python interpreters: a named one, the active environment's, those on PATH. */
import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve } from "node:path";

const IS_WINDOWS = process.platform === "win32";

/** What the user calls Python comes first; the others, newest first, are for where that one is too old. */
const NAMES = ["python3", "python", ...[10, 11, 12, 13, 14].toReversed().map((minor) => `python3.${minor}`)];

/**
 * The absolute path that a user's word for a Python stands for: an interpreter, the folder of a virtual environment, or a name
 * on PATH. Undefined where nothing is there.
 */
export async function resolveNamed(named: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const isPath = isAbsolute(named) || named.includes("/") || (IS_WINDOWS && named.includes("\\"));
  const path = resolve(named);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return interpreterOf(path);
  if (found && isPath) return path;
  return isPath ? undefined : onPath(named, environment);
}

/** The interpreter of a virtual environment's folder, where it has one. */
export async function interpreterOf(folder: string): Promise<string | undefined> {
  const candidates = IS_WINDOWS ? ["Scripts/python.exe", "python.exe"] : ["bin/python", "bin/python3"];
  for (const candidate of candidates) {
    const path = join(folder, candidate);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

/** Interpreters on PATH, the ones that a user would get first; each path once. */
export async function pythonsOnPath(environment: NodeJS.ProcessEnv): Promise<string[]> {
  const found = await Promise.all(NAMES.map((name) => onPath(name, environment)));
  return [...new Set(found.filter((path) => path !== undefined))];
}

async function onPath(name: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = IS_WINDOWS && !name.endsWith(".exe") ? `${name}.exe` : name;
  for (const folder of (environment["PATH"] ?? "").split(delimiter)) {
    // An entry that is not absolute would mean another file in every folder.
    if (isAbsolute(folder) && (await isExecutable(join(folder, file)))) return join(folder, file);
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
