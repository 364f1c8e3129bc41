/** The benchmark's virtual environment: made once for each content of its requirements. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { BENCH_CACHE, ROOT } from "./bench.ts";

const run = promisify(execFile);

/** What kernels are made from, and what only the peers need. */
const REQUIREMENTS = ["python/requirements.txt", "bench/requirements.txt"].map((file) => join(ROOT, file));
const MAKE_TIMEOUT_MS = 20 * 60_000;

/**
 * Makes the environment where it is absent; kernels and peers run on it.
 * @returns the path of its interpreter.
 */
export async function prepareBenchPython(): Promise<string> {
  const base = process.env["PYTHON"] ?? "python3";
  const { stdout: version } = await run(base, ["-c", "import sys; print(sys.version, sys.base_prefix)"], { timeout: 60_000 });
  const hash = createHash("sha256").update(version);
  for (const file of REQUIREMENTS) hash.update(await readFile(file));
  const folder = join(BENCH_CACHE, `python-${hash.digest("hex").slice(0, 12)}`);
  const python = join(folder, "bin/python");
  const complete = join(folder, ".complete");
  if (await exists(complete)) return python;
  process.stderr.write("> Making the Python environment of the benchmark\n");
  await mkdir(BENCH_CACHE, { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await run(base, ["-m", "venv", folder], { timeout: MAKE_TIMEOUT_MS });
  const files = REQUIREMENTS.flatMap((file) => ["-r", file]);
  await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...files], { timeout: MAKE_TIMEOUT_MS });
  await writeFile(complete, "");
  return python;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
