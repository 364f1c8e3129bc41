/** Which Python the kernels will run on, and whether what they need is in it. */
import { versionText, type PythonFacts } from "../../provision/python-check.ts";
import { choosePython, type PythonChoice } from "../../provision/python-environment.ts";
import type { Check, CheckResult } from "./check.ts";
import type { Machine } from "./machine.ts";

const SOURCES = { named: "as named", active: "the active environment", path: "on PATH", managed: "made by TaskWeaver" } as const;

/** Packages that plugins and models commonly use; kernels start without them. */
const WANTED = ["numpy", "pandas", "matplotlib"] as const;

/** The checks about one Python, which is looked for once. */
export function pythonChecks(choose: (python: string, environment: NodeJS.ProcessEnv) => Promise<PythonChoice> = look): Check[] {
  let chosen: Promise<PythonChoice> | undefined;
  const once: typeof choose = (python, environment) => (chosen ??= choose(python, environment));
  return [
    async ({ python }, machine) => checkInterpreter(await once(python, machine.environment), machine),
    async ({ python }, machine) => checkIpykernel(await once(python, machine.environment), machine),
    async ({ python }, machine) => checkPackages(await once(python, machine.environment)),
  ];
}

function look(python: string, environment: NodeJS.ProcessEnv): Promise<PythonChoice> {
  return choosePython({ python, environment });
}

async function checkInterpreter(choice: PythonChoice, machine: Machine): Promise<CheckResult> {
  const name = "Python";
  if (choice.kind === "unusable") return { name, status: "problem", ...splitSentence(choice.error.message) };
  if (choice.kind === "ready") {
    const { python } = choice;
    return { name, status: "ok", detail: `${versionText(python)} at ${python.interpreter} (${SOURCES[python.source]})` };
  }
  const { base } = choice;
  const detail = `${versionText(base)} at ${base.interpreter}`;
  const venv = await machine.run(base.interpreter, ["-c", "import venv, ensurepip"]);
  if (venv?.exitCode === 0) return { name, status: "ok", detail };
  return { name, status: "problem", detail: `${detail} lacks its venv module`, remedy: venvRemedy(base, machine.platform) };
}

async function checkIpykernel(choice: PythonChoice, machine: Machine): Promise<CheckResult> {
  const name = "ipykernel";
  if (choice.kind === "unusable") return { name, status: "warning", detail: "not looked for: there is no usable Python" };
  if (choice.kind === "to_make") {
    const detail = `not there yet: the first start makes ${choice.folder}`;
    return {
      name,
      status: "warning",
      detail,
      remedy: "Nothing, with a network; it takes about a minute. Or name a Python that has it by --python.",
    };
  }
  const { interpreter, packages } = choice.python;
  // Installed is not yet working: a compiled part can be missing or be for another Python.
  const loaded = await machine.run(interpreter, ["-c", "import ipykernel.kernelapp"]);
  if (loaded?.exitCode === 0) return { name, status: "ok", detail: packages.ipykernel ?? "there" };
  const reason = loaded?.stderr.trim().split("\n").at(-1) ?? "the interpreter is gone";
  const remedy = `"${interpreter}" -m pip install --force-reinstall ipykernel pyzmq`;
  return { name, status: "problem", detail: `${packages.ipykernel ?? ""} does not load: ${reason}`.trim(), remedy };
}

function checkPackages(choice: PythonChoice): CheckResult {
  const name = "Packages";
  if (choice.kind === "unusable") return { name, status: "warning", detail: "not looked for: there is no usable Python" };
  if (choice.kind === "to_make") return { name, status: "ok", detail: "will come with the environment" };
  const { packages, interpreter } = choice.python;
  const missing = WANTED.filter((wanted) => packages[wanted] === null);
  const present = WANTED.filter((wanted) => packages[wanted] !== null).map((wanted) => `${wanted} ${packages[wanted]}`);
  if (missing.length === 0) return { name, status: "ok", detail: present.join(", ") };
  const remedy = `"${interpreter}" -m pip install ${missing.join(" ")}`;
  return { name, status: "warning", detail: `without ${missing.join(", ")}: code that imports them will fail`, remedy };
}

function venvRemedy(base: PythonFacts, platform: NodeJS.Platform): string {
  if (platform === "linux") return `sudo apt-get install python${base.version.slice(0, 2).join(".")}-venv (Debian, Ubuntu)`;
  return "Reinstall Python with its standard library, or name another by --python";
}

/** The sentences of the provisioner say what is wrong and then what to do. */
function splitSentence(message: string): { detail: string; remedy?: string } {
  const [, detail, remedy] = /^(.*?)(?:\. |; |: (?=install\b|"))(.*)$/s.exec(message) ?? [];
  return detail !== undefined && remedy !== undefined
    ? { detail, remedy: remedy[0]?.toUpperCase() + remedy.slice(1) }
    : { detail: message };
}
