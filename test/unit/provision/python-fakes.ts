/** Stand-ins for Python environments: a value, and executables that answer as the environment variables tell them. */
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PACKAGE_ROOT } from "../../../src/paths.ts";
import type { PythonEnvironment } from "../../../src/provision/python-environment.ts";

/** A Python environment that nobody asks anything. */
export function pythonEnvironment(overrides: Partial<PythonEnvironment> = {}): PythonEnvironment {
  return {
    interpreter: "/nowhere/bin/python",
    version: [3, 11, 7],
    prefix: "/nowhere",
    isVirtual: false,
    packages: { ipykernel: "7.4.0", numpy: null, pandas: null, matplotlib: null },
    source: "named",
    ...overrides,
  };
}

/** Puts a fake interpreter at a path; see `test/fixtures/pythons/fake-python.sh` for what it can be told. */
export async function installFakePython(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await copyFile(join(PACKAGE_ROOT, "test/fixtures/pythons/fake-python.sh"), path);
  return path;
}
