/** The set-up steps that `npm start`, `npm test` and the others share; each is quick where there is nothing to do. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, readdir, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Where things that are made once lie; not in git, safe to delete. */
export const CACHE = join(ROOT, ".cache");

/** Installs the npm dependencies where `node_modules` does not hold what `package-lock.json` asks for. */
export async function ensureDependencies() {
  if (await isInstalled()) return;
  await mkdir(CACHE, { recursive: true });
  await withLock(join(CACHE, "dependencies.lock"), async () => {
    if (await isInstalled()) return;
    say("Installing dependencies (npm ci)");
    // NODE_ENV=production would leave out the compiler.
    await run("npm", ["ci", "--include=dev"], "npm could not install the dependencies. Is the network up? Try: npm ci");
  });
}

/** Compiles `src/` to `dist/`, and `console/` to `dist/console/`, where a source has changed since the last time. */
export async function ensureBuild() {
  const stamp = await hashOf(["src", "console", "scripts/build-console.mjs", "tsconfig.json", "tsconfig.build.json", "package-lock.json"]);
  const stampFile = join(ROOT, "dist/.stamp");
  if ((await readOr(stampFile, "")) === stamp) return;
  say("Compiling (tsc, vite)");
  // Into a folder of its own first: a failed build leaves the last good one, and a running server never sees half of one.
  const fresh = join(ROOT, `dist.${process.pid}`);
  try {
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    const args = [compiler, "-p", "tsconfig.build.json", "--noEmitOnError", "--outDir", fresh];
    await run(process.execPath, args, "The sources do not compile; see above.");
    const bundler = [join(ROOT, "scripts/build-console.mjs"), join(fresh, "console")];
    await run(process.execPath, bundler, "The web console cannot be built; see above.");
    // As npm does it for an installed package; `npx taskweaver` in a clone runs this file itself.
    await chmod(join(fresh, "cli/main.js"), 0o755);
    await writeFile(join(fresh, ".stamp"), stamp);
    await rm(join(ROOT, "dist"), { recursive: true, force: true });
    await rename(fresh, join(ROOT, "dist"));
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** The virtual environments of the tests, and what each is made from. */
const PYTHONS = {
  // Kernels run on it.
  "test-python": ["python/requirements.txt", "python/requirements-dev.txt", "test/kernel/provision/requirements.txt"],
  // The oldest releases that kernels are to run on.
  "oldest-python": ["python/requirements-oldest.txt"],
  // What attacks the server from outside of it.
  "fuzz-python": ["test/fuzz/requirements.txt"],
};

/** Making an environment takes a minute or two; a lock older than this was left by a killed process. */
const STALE_LOCK_MS = 10 * 60_000;

/** The interpreter that kernels of the tests run on. */
export function ensureTestPython() {
  return ensurePython("test-python");
}

/** One that kernels have the oldest releases on; what else the tests need it finds in the environment of the others. */
export async function ensureOldestPython() {
  return ensurePython("oldest-python", await ensureTestPython());
}

/** The interpreter that has the fuzzer of the HTTP surface. */
export function ensureFuzzPython() {
  return ensurePython("fuzz-python");
}

/**
 * Makes a virtual environment from its requirements, once for each content of them.
 * @returns the path of its interpreter.
 */
async function ensurePython(name, beneath) {
  const base = process.env.PYTHON ?? "python3";
  const version = await capture(base, ["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.base_prefix)"]).catch(() => {
    throw new StepError(`There is no ${base}. Install Python 3.10 or newer with its venv module, e.g.: apt-get install python3-venv`);
  });
  const requirements = PYTHONS[name];
  const content = [await hashOf(requirements), version, ...(beneath ? [beneath] : [])].join(" ");
  const folder = join(CACHE, `${name}-${createHash("sha256").update(content).digest("hex").slice(0, 12)}`);
  await mkdir(CACHE, { recursive: true });
  await withLock(`${folder}.lock`, async () => {
    if (!existsSync(join(folder, ".complete"))) await makePython({ base, folder, requirements, beneath });
  });
  return interpreterOf(folder);
}

async function makePython({ base, folder, requirements, beneath }) {
  say(`Making a Python environment of the tests (${requirements.join(", ")})`);
  await rm(folder, { recursive: true, force: true });
  await run(base, ["-m", "venv", folder], "Python's venv module does not work. On Debian and Ubuntu: apt-get install python3-venv");
  const python = interpreterOf(folder);
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...requirements.flatMap((file) => ["-r", file])];
  await run(python, install, "pip could not install the Python requirements. Is the network up?");
  if (beneath) await writeFile(join(await packagesOf(python), "beneath.pth"), await packagesOf(beneath));
  await writeFile(join(folder, ".complete"), "");
}

function packagesOf(python) {
  return capture(python, ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
}

function interpreterOf(folder) {
  return join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
}

/** Two runs in one checkout must not make the same thing at the same time; the second waits. */
async function withLock(path, body) {
  for (let isTold = false; ; isTold = true) {
    const isMine = await mkdir(path).then(
      () => true,
      () => false,
    );
    if (isMine) break;
    if (!isTold) say(`Waiting for another run that holds ${path}; remove it where there is none`);
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > STALE_LOCK_MS) await rmdir(path).catch(() => undefined);
    await delay(200);
  }
  try {
    await body();
  } finally {
    await rmdir(path).catch(() => undefined);
  }
}

/** A step that failed, with a sentence for the user. */
export class StepError extends Error {}

/** Runs a script's main function: a {@link StepError} is one sentence and exit code 1, everything else a stack trace. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

export function say(text) {
  process.stderr.write(`> ${text}\n`);
}

/** Runs a command to its end, its output passing through; resolves with its exit code, as a shell has it for a signal: 128 and its number. */
export function execute(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"], ...options });
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

async function run(command, args, sentence) {
  const code = await execute(command, args, { stdio: ["ignore", process.stderr, "inherit"] }).catch(() => -1);
  if (code !== 0) throw new StepError(sentence);
}

function capture(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.once("error", reject);
    child.once("close", (code) => (code === 0 ? resolve(text.trim()) : reject(new Error(`${command}: exit code ${code}`))));
  });
}

/** npm's own record of what is installed tells; a stamp of ours would miss what somebody installed by hand. */
async function isInstalled() {
  const installed = JSON.parse(await readOr(join(ROOT, "node_modules/.package-lock.json"), "{}")).packages ?? {};
  const wanted = JSON.parse(await readFile(join(ROOT, "package-lock.json"), "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "" || entry.link) return true;
    const present = installed[path];
    return present ? present.version === entry.version : mayBeAbsent(entry);
  });
}

/** Packages for other platforms, and what only they need, are in the lock file and not installed; npm installs all others, peers too. */
function mayBeAbsent({ optional, peer }) {
  return optional === true && peer !== true;
}

/** A hash over the names and contents of files and folders, given relative to the root. */
async function hashOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths) await addToHash(hash, path);
  return hash.digest("hex");
}

async function addToHash(hash, path) {
  const entries = await readdir(join(ROOT, path)).catch(() => undefined);
  if (entries) {
    for (const entry of entries.toSorted()) await addToHash(hash, join(path, entry));
    return;
  }
  hash
    .update(path)
    .update("\0")
    .update(await readOr(join(ROOT, path), ""))
    .update("\0");
}

function readOr(file, fallback) {
  return readFile(file, "utf8").catch(() => fallback);
}
