/** The Python that kernels run on: named by the user, else one that is there with ipykernel, else one made once. */
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { PYTHON_ROOT } from "../paths.ts";
import { checkPython, PythonCheckError, versionText, type PythonFacts } from "./python-check.ts";
import { interpreterOf, pythonsOnPath, resolveNamed } from "./python-find.ts";
import { findManagedPython, makeManagedPython, managedFolder } from "./python-make.ts";

/** An interpreter with ipykernel. */
export interface PythonEnvironment extends PythonFacts {
  source: "named" | "active" | "path" | "managed";
}

/** How to find it. */
export interface PythonEnvironmentOptions {
  /** An interpreter, a virtual environment's folder or a name on PATH, as the user gave it (`--python`, `TASKWEAVER_PYTHON`); empty: none. */
  python?: string;
  /** @default process.env */
  environment?: NodeJS.ProcessEnv;
  /** Told line by line what takes long; called only where something does. */
  onProgress?: (line: string) => void;
  /** What the managed environment is made from. */
  requirementsFile?: string;
  /** Ends the making of an environment. */
  signal?: AbortSignal;
}

/** The oldest Python that kernels run on. */
export const OLDEST_PYTHON = [3, 10] as const;

/** The oldest ipykernel that is built upon; the kernel's tests run on it, see `python/requirements-oldest.txt`. */
export const OLDEST_IPYKERNEL = [6, 17] as const;

/** Which Python it will be, before anything is made. */
export type PythonChoice =
  | { kind: "ready"; python: PythonEnvironment }
  /** None has ipykernel, so an environment has to be made. */
  | { kind: "to_make"; base: PythonFacts; folder: string }
  | { kind: "unusable"; error: UsageError };

/**
 * Finds or makes the Python environment of the kernels.
 * @throws UsageError with the command that mends it.
 */
export async function preparePython(options: PythonEnvironmentOptions = {}): Promise<PythonEnvironment> {
  const choice = await choosePython(options);
  if (choice.kind === "unusable") throw choice.error;
  if (choice.kind === "ready") return choice.python;
  const managed = await makeManagedPython({
    base: choice.base,
    folder: choice.folder,
    environment: options.environment ?? process.env,
    requirementsFile: requirementsOf(options),
    onProgress: options.onProgress ?? (() => undefined),
    ...(options.signal && { signal: options.signal }),
  });
  return { ...managed, source: "managed" };
}

/** Looks, and makes nothing: a named Python, else the active environment's, else one on PATH, else the managed one. */
export async function choosePython(options: PythonEnvironmentOptions = {}): Promise<PythonChoice> {
  const environment = options.environment ?? process.env;
  if (options.python) return chooseNamed(options.python, environment);
  const found = await findPython(environment);
  if (found.usable) return { kind: "ready", python: found.usable };
  if (!found.base) return { kind: "unusable", error: noPython(found.tooOld) };
  const { base } = found;
  const folder = await managedFolder(base, requirementsOf(options), environment);
  const managed = await findManagedPython(folder, environment);
  return managed ? { kind: "ready", python: { ...managed, source: "managed" } } : { kind: "to_make", base, folder };
}

function requirementsOf({ requirementsFile }: PythonEnvironmentOptions): string {
  return requirementsFile ?? join(PYTHON_ROOT, "requirements.txt");
}

async function chooseNamed(named: string, environment: NodeJS.ProcessEnv): Promise<PythonChoice> {
  const unusable = (sentence: string, cause?: unknown): PythonChoice => ({ kind: "unusable", error: new UsageError(sentence, { cause }) });
  const interpreter = await resolveNamed(named, environment);
  if (interpreter === undefined) return unusable(`There is no Python at "${named}". Name an interpreter, e.g.: --python /usr/bin/python3`);
  try {
    const facts = await checkPython(interpreter, { environment });
    const reason = reasonAgainst(facts);
    return reason === undefined ? { kind: "ready", python: { ...facts, source: "named" } } : unusable(reason);
  } catch (error) {
    if (!(error instanceof PythonCheckError)) throw error;
    return unusable(`${error.message} Name another interpreter by --python.`, error);
  }
}

interface FoundPython {
  usable?: PythonEnvironment;
  /** New enough to make an environment from. */
  base?: PythonFacts;
  tooOld?: PythonFacts;
}

/** The active environment where it has ipykernel; else the first Python on PATH that is new enough decides. */
async function findPython(environment: NodeJS.ProcessEnv): Promise<FoundPython> {
  // A broken interpreter that nobody named is passed over.
  const check = (interpreter: string) => checkPython(interpreter, { environment }).catch(() => undefined);
  const folder = environment["VIRTUAL_ENV"] || environment["CONDA_PREFIX"];
  const ofFolder = folder ? await interpreterOf(folder) : undefined;
  const active = ofFolder === undefined ? undefined : await check(ofFolder);
  if (active && reasonAgainst(active) === undefined) return { usable: { ...active, source: "active" } };
  let tooOld: PythonFacts | undefined;
  for (const interpreter of await pythonsOnPath(environment)) {
    const facts = await check(interpreter);
    if (facts && !isTooOld(facts)) return reasonAgainst(facts) === undefined ? { usable: { ...facts, source: "path" } } : { base: facts };
    tooOld ??= facts;
  }
  return tooOld ? { tooOld } : {};
}

/** Why kernels cannot run on it, with the command that mends it; undefined where they can. */
function reasonAgainst(facts: PythonFacts): string | undefined {
  if (isTooOld(facts)) return `${facts.interpreter} is Python ${versionText(facts)}; kernels need ${OLDEST_PYTHON.join(".")} or newer.`;
  const { ipykernel } = facts.packages;
  const install = `"${facts.interpreter}" -m pip install --upgrade ipykernel`;
  if (ipykernel === null) return `${facts.interpreter} has no ipykernel. Install it: ${install}`;
  if (isOlder(ipykernel.split(".").map(Number), OLDEST_IPYKERNEL))
    return `${facts.interpreter} has ipykernel ${ipykernel}, which is too old; kernels need ${OLDEST_IPYKERNEL.join(".")} or newer: ${install}`;
  return undefined;
}

function isTooOld({ version }: PythonFacts): boolean {
  return isOlder(version, OLDEST_PYTHON);
}

function isOlder([major = 0, minor = 0]: readonly number[], [oldestMajor, oldestMinor]: readonly [number, number]): boolean {
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

function noPython(tooOld: PythonFacts | undefined): UsageError {
  const what = tooOld ? `Python ${versionText(tooOld)} (${tooOld.interpreter}) is too old` : "No Python was found";
  return new UsageError(
    `${what}: install Python ${OLDEST_PYTHON.join(".")} or newer, e.g. by ${installCommand()}, or name one by --python PATH.`,
  );
}

function installCommand(): string {
  if (process.platform === "darwin") return '"brew install python"';
  if (process.platform === "win32") return '"winget install Python.Python.3.12"';
  return '"sudo apt-get install python3 python3-venv"';
}
