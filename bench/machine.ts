/** What the figures were measured on and with: no names, no paths. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "./bench.ts";

const PACKAGES = [
  "ipykernel",
  "ipython",
  "jupyter_client",
  "pyzmq",
  "numpy",
  "pandas",
  "matplotlib",
  "jupyter_kernel_gateway",
  "fastapi",
  "uvicorn",
];

const PROGRAM = `
import json, platform, sys
from importlib.metadata import version
print(json.dumps([platform.python_version(), [version(name) for name in sys.argv[1:]]]))
`;

/** Two sentences: the machine, the versions. */
export async function describeMachine(python: string): Promise<{ machine: string; versions: string }> {
  const { stdout } = await promisify(execFile)(python, ["-I", "-c", PROGRAM, ...PACKAGES], { timeout: 60_000 });
  const [pythonVersion, versions] = JSON.parse(stdout) as [string, string[]];
  const processors = cpus();
  const cpuInfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const kind = /^flags\s*:.*\bhypervisor\b/m.test(cpuInfo) ? "a virtual machine" : "a machine";
  const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { version: string };
  return {
    machine:
      `${kind} with ${processors.length} cores (${processors[0]?.model.trim()}), ` +
      `${Math.round(totalmem() / 1024 ** 3)} GiB of memory, ${process.platform} ${release().split("-")[0]}`,
    versions: [
      `this server ${manifest.version}`,
      `Node ${process.versions.node}`,
      `Python ${pythonVersion}`,
      ...PACKAGES.map((name, index) => `${name} ${versions[index]}`),
    ].join(", "),
  };
}
