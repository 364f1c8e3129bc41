/** Makes the managed Python environment: once per requirements and Python version, never half, by one process at a time. */
import { createHash } from "node:crypto";
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { messageOf, UsageError } from "../errors.ts";
import { PYTHON_ROOT } from "../paths.ts";
import { cacheFolder } from "./cache-folder.ts";
import { withLock } from "./file-lock.ts";
import { checkPython, versionText, type PythonFacts } from "./python-check.ts";
import { interpreterOf } from "./python-find.ts";

/** What it is made from. */
export interface ManagedPythonOptions {
  base: PythonFacts;
  /** See {@link managedFolder}. */
  folder: string;
  environment: NodeJS.ProcessEnv;
  requirementsFile: string;
  onProgress: (line: string) => void;
  signal?: AbortSignal;
}

const MAKE_TIMEOUT_MS = 20 * 60_000;

/** Pip says a line or more for each of some forty packages: people want to see that it goes on, and waiting clients have to. */
const TOLD_EVERY_MS = 5_000;
const TOLD_CHARACTERS = 100;
const QUOTED_LINES = 6;

/** Written last: an environment without it is half made. */
const COMPLETE = ".complete";

/** Where the managed environment lies: the folder's name holds all that decides its content. */
export async function managedFolder(base: PythonFacts, requirementsFile: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const requirements = await readFile(requirementsFile, "utf8");
  const hash = createHash("sha256")
    .update(`${base.version.join(".")}\n${requirements}`)
    .digest("hex")
    .slice(0, 12);
  return join(cacheFolder(environment), `python-${base.version.slice(0, 2).join(".")}-${hash}`);
}

/**
 * Makes the managed environment; another process may have done so meanwhile.
 * @throws UsageError
 */
export async function makeManagedPython(options: ManagedPythonOptions): Promise<PythonFacts> {
  const { folder, environment, onProgress, signal } = options;
  const parent = dirname(folder);
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UsageError(`${parent} cannot be made (${messageOf(error)}); set XDG_CACHE_HOME to a writable folder.`, { cause: error });
  }
  const onWait = () => onProgress("Waiting for another process that is making the Python environment");
  return withLock(`${folder}.lock`, { timeoutMs: MAKE_TIMEOUT_MS, onWait, ...(signal && { signal }) }, async () => {
    return (await findManagedPython(folder, environment)) ?? make(options);
  });
}

/** The managed environment of a folder; undefined too where it has broken since, as when its base Python was removed. */
export async function findManagedPython(folder: string, environment: NodeJS.ProcessEnv): Promise<PythonFacts | undefined> {
  if (!(await stat(join(folder, COMPLETE)).catch(() => undefined))) return undefined;
  const interpreter = await interpreterOf(folder);
  const facts = interpreter && (await checkPython(interpreter, { environment }).catch(() => undefined));
  return facts && facts.packages.ipykernel !== null ? facts : undefined;
}

async function make(options: ManagedPythonOptions): Promise<PythonFacts> {
  const { base, folder, onProgress } = options;
  await rm(folder, { recursive: true, force: true });
  await rm(logOf(folder), { force: true });
  try {
    onProgress(
      `${base.interpreter} (Python ${versionText(base)}) has no ipykernel: making an environment for the kernels, once, in ${folder}`,
    );
    const venv = await runStep(base.interpreter, ["-m", "venv", folder], options);
    if (venv.exitCode !== 0) throw venvFailure(base, venv.output);
    const interpreter = await interpreterOf(folder);
    if (interpreter === undefined) throw venvFailure(base, "it made no interpreter");
    const install = [
      "-m",
      "pip",
      "install",
      "--no-input",
      "--disable-pip-version-check",
      "--progress-bar",
      "off",
      "-r",
      options.requirementsFile,
    ];
    const pip = await runStep(interpreter, install, options);
    if (pip.exitCode !== 0) throw pipFailure(pip.output, logOf(folder));
    const facts = await checkPython(interpreter, { environment: options.environment });
    await writeFile(join(folder, COMPLETE), "");
    onProgress("The Python environment is ready");
    return facts;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** All that venv and pip said the last time. */
function logOf(folder: string): string {
  return `${folder}.log`;
}

/** Debian ships venv without its pip; its own message names the package that mends that. */
function venvFailure(base: PythonFacts, output: string): UsageError {
  const named = /apt(?:-get)? install (\S+)/.exec(output)?.[1];
  const debian = named ?? (/ensurepip|No module named venv/.test(output) ? `python${base.version.slice(0, 2).join(".")}-venv` : undefined);
  if (debian !== undefined) return new UsageError(`Python's venv module is missing. Install it: sudo apt-get install ${debian}`);
  return new UsageError(
    `${base.interpreter} could not make a virtual environment: ${lastLine(output)}. Name a Python that has ipykernel: --python PATH`,
  );
}

const NETWORK_FAILURE =
  /Failed to establish a new connection|Temporary failure in name resolution|ConnectTimeout|ReadTimeout|Connection(?:Reset|Refused)?Error|ProxyError|Network is unreachable|Max retries exceeded|from versions: none/i;

function pipFailure(output: string, log: string): UsageError {
  const words = output.trim().split("\n").slice(-QUOTED_LINES).join("\n");
  return new UsageError(`${pipSentence(output)}\nThe last that pip said (all of it is in ${log}):\n${words.replaceAll(/^/gm, "  ")}`);
}

function pipSentence(output: string): string {
  if (NETWORK_FAILURE.test(output)) {
    return (
      "The kernels' Python packages could not be downloaded: the package index is not reachable. " +
      "Connect to the network and start again, or name a Python that has ipykernel: --python PATH"
    );
  }
  if (/No space left on device/i.test(output))
    return "There is no space left for the Python environment; free some, or set XDG_CACHE_HOME.";
  return `pip could not install the kernels' Python packages: ${lastLine(output)}. Or name a Python that has ipykernel: --python PATH`;
}

/** The last line that says what went wrong, without its full stop. */
function lastLine(output: string): string {
  const lines = output.trim().split("\n");
  const error = lines.findLast((line) => /^\s*error\b/i.test(line)) ?? lines.at(-1) ?? "";
  return error.trim().replace(/\.$/, "");
}

/** Ends a command, and all that it starts, with the process that asked for it. */
const BOUND = join(PYTHON_ROOT, "taskweaver_bound.py");

/** Runs one command, what it says noted in the log, some of it told as progress; resolves with all it said. It ends with this process, however that ends. */
function runStep(
  command: string,
  args: string[],
  { base, folder, environment, onProgress, signal }: ManagedPythonOptions,
): Promise<{ exitCode: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    // A PYTHONPATH or a pip setting meant for another environment would decide what gets installed here.
    const { PYTHONPATH: _path, PYTHONHOME: _home, PIP_TARGET: _target, PIP_USER: _user, PIP_PREFIX: _prefix, ...env } = environment;
    const child = spawn(base.interpreter, [BOUND, command, ...args], {
      cwd: "/",
      env,
      // Nothing is ever written to its input; that it ends is the sign.
      stdio: ["pipe", "pipe", "pipe"],
      timeout: MAKE_TIMEOUT_MS,
      ...(signal && { signal }),
    });
    const lines: string[] = [];
    const tell = condensed(onProgress);
    // A disk that is full is pip's to tell of.
    const log = createWriteStream(logOf(folder), { flags: "a", mode: 0o600 }).on("error", () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        log.write(`${line}\n`);
        tell(line);
      });
    }
    child.once("error", reject);
    child.once("close", (exitCode) => void log.end(() => resolve({ exitCode, output: lines.join("\n") })));
  });
}

/** Tells a line of pip's now and then, and how many packages it installs. */
function condensed(onProgress: (line: string) => void): (line: string) => void {
  let toldAt = -Infinity;
  return (line) => {
    const installed = /^Installing collected packages: (.*)/.exec(line)?.[1];
    const text = installed === undefined ? line.trim() : `Installing ${installed.split(", ").length} packages`;
    if (text === "" || (installed === undefined && Date.now() - toldAt < TOLD_EVERY_MS)) return;
    toldAt = Date.now();
    onProgress(text.length > TOLD_CHARACTERS ? `${text.slice(0, TOLD_CHARACTERS)}...` : text);
  };
}
