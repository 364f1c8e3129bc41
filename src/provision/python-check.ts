/** What an interpreter is and has, asked of it by one quick call; the answer is kept until its packages change. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";

/** The packages that are asked for. */
export const CHECKED_PACKAGES = ["ipykernel", "numpy", "pandas", "matplotlib"] as const;

/** What an interpreter says of itself. */
export interface PythonFacts {
  /**
   * As it was called, not where its symbolic link leads: a virtual environment is told by that path. Where it was a shim (as pyenv's)
   * that starts another Python by the current folder, that other one.
   */
  interpreter: string;
  /** `[3, 11, 7]` */
  version: [number, number, number];
  prefix: string;
  /** Inside a virtual environment. */
  isVirtual: boolean;
  /** The version of each package, or null where it is not installed. */
  packages: Record<(typeof CHECKED_PACKAGES)[number], string | null>;
}

/** An interpreter that did not answer as one should. */
export class PythonCheckError extends Error {
  readonly reason: "missing" | "not_executable" | "timeout" | "failed";

  constructor(reason: PythonCheckError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PythonCheckError";
    this.reason = reason;
  }
}

/** How to ask. */
export interface PythonCheckOptions {
  /** @default process.env */
  environment?: NodeJS.ProcessEnv;
  /** @default 20000 */
  timeoutMs?: number;
}

/** Old interpreters must understand it too, to be able to say that they are old. */
const PROGRAM = `
import sys
# The current folder may hold anything, also a json.py.
sys.path[:] = [p for p in sys.path if p]
import json
facts = {"version": list(sys.version_info[:3]), "prefix": sys.prefix, "executable": sys.executable, "packages": {}, "watched": []}
facts["isVirtual"] = sys.prefix != getattr(sys, "base_prefix", sys.prefix)
if sys.version_info >= (3, 8):
    from importlib import metadata
    for name in ${JSON.stringify(CHECKED_PACKAGES)}:
        try:
            facts["packages"][name] = metadata.version(name)
        except Exception:
            facts["packages"][name] = None
    import site
    facts["watched"] = [p for p in sys.path if p.endswith("-packages")] + [site.getusersitepackages()]
print("\\n" + json.dumps(facts))
`;

/** Folders whose modification time is compared; -1 where there is none. */
type Watched = Record<string, number>;

/**
 * Asks an interpreter.
 * @param interpreter Absolute path.
 * @throws PythonCheckError
 */
export async function checkPython(interpreter: string, options: PythonCheckOptions = {}): Promise<PythonFacts> {
  const environment = options.environment ?? process.env;
  const cacheFile = cacheFileOf(interpreter, environment);
  const kept = await readKept(cacheFile);
  if (kept && (await isUnchanged(kept.watched))) return kept.facts;

  const { watched, executable, ...answer } = parse(interpreter, await ask(interpreter, environment, options.timeoutMs ?? 20_000));
  const isShim = Boolean(executable) && (await realPath(executable)) !== (await realPath(interpreter));
  const facts: PythonFacts = { ...answer, interpreter: isShim ? executable : interpreter };
  // What a shim will start next time, nobody knows.
  if (!isShim) await keep(cacheFile, { facts, watched: await timesOf([interpreter, ...watched]) });
  return facts;
}

/** `3.11.7` */
export function versionText(facts: PythonFacts): string {
  return facts.version.join(".");
}

function ask(interpreter: string, environment: NodeJS.ProcessEnv, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: environment, timeout: timeoutMs, killSignal: "SIGKILL" as const, maxBuffer: 2 ** 20 };
    execFile(interpreter, ["-c", PROGRAM], options, (error, stdout, stderr) => {
      if (error) reject(explain(interpreter, error, stderr));
      else resolve(stdout);
    });
  });
}

function explain(interpreter: string, error: Error & { code?: unknown; killed?: boolean }, stderr: string): PythonCheckError {
  const options = { cause: error };
  if (error.code === "ENOENT") return new PythonCheckError("missing", `There is no ${interpreter}.`, options);
  if (error.code === "EACCES") return new PythonCheckError("not_executable", `${interpreter} is not executable.`, options);
  if (error.killed) return new PythonCheckError("timeout", `${interpreter} did not answer in time.`, options);
  const lastLine = stderr.trim().split("\n").at(-1) || error.message.split("\n")[0];
  return new PythonCheckError("failed", `${interpreter} does not work: ${lastLine}`, options);
}

interface Answer extends Omit<PythonFacts, "interpreter"> {
  executable: string;
  watched: string[];
}

function parse(interpreter: string, output: string): Answer {
  // Whatever a sitecustomize prints comes before.
  const lastLine = output.trim().split("\n").at(-1) ?? "";
  try {
    const facts = JSON.parse(lastLine) as Answer;
    if (Array.isArray(facts.version) && typeof facts.prefix === "string") return facts;
  } catch {
    // Said below.
  }
  throw new PythonCheckError("failed", `${interpreter} is no Python: it answered "${lastLine.slice(0, 80)}".`);
}

function realPath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

interface Kept {
  facts: PythonFacts;
  watched: Watched;
}

/** One file per interpreter and what else decides its module path, so that writers do not meet. */
function cacheFileOf(interpreter: string, environment: NodeJS.ProcessEnv): string {
  const deciding = ["PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONUSERBASE", "HOME"].map((name) => environment[name] ?? "");
  const hash = createHash("sha256")
    .update(JSON.stringify([PROGRAM, interpreter, ...deciding]))
    .digest("hex");
  return join(cacheFolder(environment), "checks", `${basename(interpreter)}-${hash.slice(0, 16)}.json`);
}

async function readKept(file: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Kept;
  } catch {
    return undefined;
  }
}

/** A cache that cannot be written costs time, nothing else. */
async function keep(file: string, kept: Kept): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  try {
    await mkdir(join(file, ".."), { recursive: true, mode: 0o700 });
    await writeFile(temporary, JSON.stringify(kept), { mode: 0o600 });
    await rename(temporary, file);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

async function isUnchanged(watched: Watched): Promise<boolean> {
  const now = await timesOf(Object.keys(watched));
  return Object.entries(watched).every(([path, time]) => now[path] === time);
}

/** Installing or removing a package changes the time of its `site-packages`. */
async function timesOf(paths: string[]): Promise<Watched> {
  const times = paths.map(async (path) => [path, (await stat(path).catch(() => undefined))?.mtimeMs ?? -1] as const);
  return Object.fromEntries(await Promise.all(times));
}
