/** Finds the kernels that are installed, as Jupyter does: folders with a `kernel.json` on Jupyter's data path. */
import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { AppError } from "../errors.ts";
import { PYTHON_ROOT } from "../paths.ts";
import type { PythonEnvironment } from "./python-environment.ts";

/**
 * One kernel that can be started.
 * @see https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs
 */
export interface KernelSpec {
  name: string;
  displayName: string;
  language: string;
  /** With `{connection_file}` still in it; other placeholders are replaced. */
  argv: string[];
  env: Record<string, string>;
  interruptMode: "signal" | "message";
  /** Unix sockets where the kernel is known to speak them. */
  transport: "ipc" | "tcp";
}

/** Where to look. */
export interface KernelSpecOptions {
  /** Runs our `python3`, and every kernelspec that says only "python". */
  python: PythonEnvironment;
  /** @default process.env */
  environment?: NodeJS.ProcessEnv;
}

/** The kernel that is always there. */
export const OWN_KERNEL_NAME = "python3";

/** @throws AppError `unknown_kernel`, naming the kernels there are. */
export async function findKernelSpec(name: string, options: KernelSpecOptions): Promise<KernelSpec> {
  if (name === OWN_KERNEL_NAME) return ownKernelSpec(options.python);
  const specs = await listKernelSpecs(options);
  const found = specs.find((spec) => spec.name === name.toLowerCase());
  if (found) return found;
  const names = specs.map((spec) => spec.name).join(", ");
  throw new AppError("unknown_kernel", `No kernel "${name}" is installed; there are: ${names}.`);
}

/** All kernels, ours first; a name that is there twice is the one that comes first on the path. */
export async function listKernelSpecs(options: KernelSpecOptions): Promise<KernelSpec[]> {
  const specs = new Map([[OWN_KERNEL_NAME, ownKernelSpec(options.python)]]);
  for (const folder of kernelFolders(options)) {
    const entries = await readdir(folder).catch((): string[] => []);
    for (const entry of entries.toSorted()) {
      const name = entry.toLowerCase();
      if (specs.has(name) || !/^[a-z0-9._-]+$/.test(name)) continue;
      const spec = await readKernelSpec(join(folder, entry), name, options.python);
      if (spec) specs.set(name, spec);
    }
  }
  return [...specs.values()];
}

/** The folders that hold kernelspecs, in Jupyter's order: named by the user, the environment's, the user's, the system's. */
export function kernelFolders({ python, environment = process.env }: KernelSpecOptions): string[] {
  const named = (environment["JUPYTER_PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const data = [...named, join(python.prefix, "share/jupyter"), userDataFolder(environment), ...systemDataFolders(environment)];
  return [...new Set(data.map((folder) => join(folder, "kernels")))];
}

function userDataFolder(environment: NodeJS.ProcessEnv): string {
  const named = environment["JUPYTER_DATA_DIR"];
  if (named) return named;
  const home = environment["HOME"] ?? homedir();
  if (process.platform === "darwin") return join(home, "Library/Jupyter");
  if (process.platform === "win32") return join(environment["APPDATA"] ?? join(home, "AppData/Roaming"), "jupyter");
  return join(environment["XDG_DATA_HOME"] ?? join(home, ".local/share"), "jupyter");
}

function systemDataFolders(environment: NodeJS.ProcessEnv): string[] {
  if (process.platform === "win32") return [join(environment["PROGRAMDATA"] ?? "C:/ProgramData", "jupyter")];
  return ["/usr/local/share/jupyter", "/usr/share/jupyter"];
}

/** Ours even where a stock `python3` is installed: only this one has plugins, variables and parsed output. */
function ownKernelSpec(python: PythonEnvironment): KernelSpec {
  return {
    name: OWN_KERNEL_NAME,
    displayName: "Python 3 (TaskWeaver)",
    language: "python",
    argv: [python.interpreter, join(PYTHON_ROOT, "taskweaver_kernel.py"), "-f", "{connection_file}"],
    env: activation(python),
    interruptMode: "signal",
    transport: "ipc",
  };
}

/** Makes `!pip install` and `python` in a subprocess mean the kernel's own environment. */
function activation(python: PythonEnvironment): Record<string, string> {
  if (!python.isVirtual) return {};
  return { VIRTUAL_ENV: python.prefix, PATH: `${dirname(python.interpreter)}${delimiter}\${PATH}` };
}

/** Undefined where the folder holds no usable kernelspec: Jupyter passes over those too. */
async function readKernelSpec(folder: string, name: string, python: PythonEnvironment): Promise<KernelSpec | undefined> {
  const file: unknown = await readFile(join(folder, "kernel.json"), "utf8")
    .then(JSON.parse)
    .catch(() => undefined);
  if (!isRecord(file) || !Array.isArray(file["argv"]) || file["argv"].length === 0) return undefined;
  const isPython = isPythonName(String(file["argv"][0]));
  const argv = file["argv"].map((argument) => String(argument).replaceAll("{resource_dir}", folder).replaceAll("{prefix}", python.prefix));
  if (isPythonName(argv[0] ?? "") && basename(argv[0] ?? "") === argv[0]) argv[0] = python.interpreter;
  return {
    name,
    displayName: typeof file["display_name"] === "string" ? file["display_name"] : name,
    language: typeof file["language"] === "string" ? file["language"].toLowerCase() : "",
    argv,
    env: stringsOf(file["env"]),
    interruptMode: file["interrupt_mode"] === "message" ? "message" : "signal",
    transport: transportHint(file["metadata"]) ?? (isPython ? "ipc" : "tcp"),
  };
}

/**
 * A kernel of another language may not know Unix sockets, and then never answers; ipykernel, and what is built on it, does.
 * A kernelspec can say so itself: `"metadata": {"taskweaver": {"transport": "ipc"}}`.
 */
function transportHint(metadata: unknown): "ipc" | "tcp" | undefined {
  const ours = isRecord(metadata) ? metadata["taskweaver"] : undefined;
  const transport = isRecord(ours) ? ours["transport"] : undefined;
  return transport === "ipc" || transport === "tcp" ? transport : undefined;
}

function isPythonName(program: string): boolean {
  return /^python(?:\d+(?:\.\d+)?)?(?:\.exe)?$/.test(basename(program));
}

function stringsOf(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
