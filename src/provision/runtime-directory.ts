/** The short private folder for kernels' sockets and connection files: whoever can enter it can run code as the user. */
import { randomBytes } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { AppError, UsageError } from "../errors.ts";
import { MAX_SOCKET_PATH_BYTES } from "../kernel/connection.ts";
import { hasLastOutput, LAST_OUTPUT_FILES } from "./last-output.ts";
import { removeTree } from "./remove-tree.ts";
import { WALLED_SOCKET_NAME } from "./sandbox/kernel-place.ts";

/** Bytes that a socket's name adds to the folder's path, at most: `/k`, sixteen digits, `/k-5`, of a kernel behind a wall. */
const NAME_BYTES = 22;

/** A folder younger than this may belong to a kernel that is just starting. */
const STARTING_MS = 60_000;

/** Sockets younger than this may belong to a kernel that is just binding them. */
const BINDING_MS = 2_000;

/** A kernel without sockets (on TCP) shows no sign of life: its file stays until it is old beyond doubt. */
const NO_SIGN_OF_LIFE_MS = 24 * 3_600_000;

/** What a kernel wrote last is kept so long for a server that takes its session back: it may have come to nobody. */
const LAST_OUTPUT_MS = 3_600_000;

/** Where the folder may lie. */
export interface RuntimeDirectoryOptions {
  /** @default process.env */
  environment?: NodeJS.ProcessEnv;
}

/**
 * Opens the user's runtime folder, making it where it is absent: in `XDG_RUNTIME_DIR`, else in the temporary folder.
 * What dead kernels have left in it is removed.
 * @returns its absolute path; mode 0700, owned by the user, no symbolic link.
 * @throws UsageError where no folder can be made.
 */
export async function openRuntimeDirectory(options: RuntimeDirectoryOptions = {}): Promise<string> {
  // Not `userInfo`: in a container the user may be one whom the system does not know by name.
  const uid = process.getuid?.() ?? -1;
  const runtime = (options.environment ?? process.env)["XDG_RUNTIME_DIR"];
  if (runtime) {
    const folder = join(runtime, "taskweaver");
    if (fits(folder) && (await makePrivate(folder, uid))) return sweep(folder);
  }
  // macOS' temporary folder of the user is private already, but may be too long.
  for (const base of new Set([tmpdir(), "/tmp"])) {
    const folder = join(base, `taskweaver-${uid}`);
    if (!fits(folder)) continue;
    if (await makePrivate(folder, uid)) return sweep(folder);
    // The name can be guessed, so another user may have taken it: then one that cannot.
    const unguessable = await mkdtemp(`${folder}-`).catch(() => undefined);
    if (unguessable !== undefined && fits(unguessable)) return unguessable;
  }
  throw new UsageError(
    `No private folder for kernels' sockets could be made in ${tmpdir()}. Set XDG_RUNTIME_DIR to a writable folder with a short path.`,
  );
}

/**
 * Makes the folder anew where it has been cleaned away, as happens to what lies in temporary folders, or belongs to a login that is over.
 * @throws AppError `kernel_start_failed` where that cannot be done, or somebody else has taken its name.
 */
export async function keepRuntimeDirectory(folder: string): Promise<void> {
  if (await makePrivate(folder, process.getuid?.() ?? -1)) return;
  throw new AppError(
    "kernel_start_failed",
    `The kernel could not be started: the folder of kernels' sockets, ${folder}, has been taken away and cannot be made again.`,
  );
}

/** A name for one kernel's files in the runtime folder; short, since a socket's path is. */
export function uniqueName(): string {
  return `k${randomBytes(4).toString("hex")}`;
}

function fits(folder: string): boolean {
  return Buffer.byteLength(folder) + NAME_BYTES <= MAX_SOCKET_PATH_BYTES;
}

/** Makes the folder, or checks one that is there: a real folder, ours, closed to others. False where it is not to be trusted. */
async function makePrivate(folder: string, uid: number): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (!isCode(error, "EEXIST")) return false;
  }
  // Not `stat`: a symbolic link would be followed to a folder of somebody else's choice.
  const found = await lstat(folder).catch(() => undefined);
  if (!found?.isDirectory()) return false;
  if (process.platform === "win32") return true;
  if (found.uid !== uid) return false;
  if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700);
  return true;
}

/**
 * Removes what kernels have left that were killed: sockets that nobody listens on, and their connection files.
 * @param lastOutputMs How long what they wrote last is spared.
 * @returns the folder.
 */
export async function sweep(folder: string, lastOutputMs = LAST_OUTPUT_MS): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const kernels = new Set(names.map((name) => /^(k[0-9a-f]{8})(?:-[a-z0-9]+|\.json)$/.exec(name)?.[1]));
  for (const kernel of kernels) {
    if (kernel === undefined) continue;
    const files = names.filter((name) => name === `${kernel}.json` || name.startsWith(`${kernel}-`)).map((name) => join(folder, name));
    if (await isDead(files, { lastOutputMs, address: join(folder, kernel) }))
      await Promise.all(files.map((file) => rm(file, { force: true })));
  }
  await Promise.all(names.map((name) => sweepWalled(join(folder, name), lastOutputMs)));
  return folder;
}

/** Of kernels behind walls: the folder of the sockets, and what a kernel was to read once. */
async function sweepWalled(path: string, lastOutputMs: number): Promise<void> {
  if (!/^[kr][0-9a-f]{16}$/.test(basename(path))) return;
  const names = await readdir(path).catch(() => undefined);
  const files = names === undefined || names.length === 0 ? [path] : names.map((name) => join(path, name));
  const address = join(path, WALLED_SOCKET_NAME);
  if (await isDead(files, { withoutSocketsMs: STARTING_MS, lastOutputMs, address })) await removeTree(path);
}

async function isDead(files: string[], patience: { withoutSocketsMs?: number; lastOutputMs: number; address: string }): Promise<boolean> {
  let limitMs = patience.withoutSocketsMs ?? NO_SIGN_OF_LIFE_MS;
  let youngestMs = Infinity;
  for (const file of files) {
    const found = await lstat(file).catch(() => undefined);
    if (found === undefined) continue;
    if (found.isSocket() && (await isListening(file))) return false;
    // Its last output a kernel has only beside sockets; without them it has removed them itself.
    if (found.isSocket() || isLastOutput(file)) limitMs = BINDING_MS;
    youngestMs = Math.min(youngestMs, Date.now() - found.mtimeMs);
  }
  const { lastOutputMs, address } = patience;
  return youngestMs > limitMs && (youngestMs > lastOutputMs || !(await hasLastOutput(address)));
}

function isLastOutput(file: string): boolean {
  return LAST_OUTPUT_FILES.some((name) => file.endsWith(`-${name}`));
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Only a refusal says for sure that nobody listens.
    socket.once("error", (error) => resolve(!isCode(error, "ECONNREFUSED")));
  });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
