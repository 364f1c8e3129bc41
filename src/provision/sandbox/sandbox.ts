/** Walls around kernels: what was asked for, what the machine can do, and what comes of it. The walls themselves are in `python/taskweaver/sandbox`. */
import { execFile } from "node:child_process";
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { messageOf, UsageError } from "../../errors.ts";
import { PYTHON_ROOT } from "../../paths.ts";

/** By what a wall is made: namespaces of its own for each kernel, or Landlock with a filter of system calls. */
export type SandboxLevel = "namespaces" | "landlock";

/** What this machine can do. */
export interface SandboxAbility {
  /** The strongest that holds; null for none. */
  level: SandboxLevel | null;
  /** The version of Landlock; 0 for none. */
  landlock: number;
  /** Why a level does not hold. */
  reasons: Partial<Record<SandboxLevel, string>>;
  /** Settings of the system that would have to be changed for a stronger one, e.g. `kernel.unprivileged_userns_clone=1`. */
  switches: string[];
}

/** The wall that all kernels of a server get. */
export interface Sandbox {
  level: SandboxLevel;
  /** Whether kernels have a network. */
  network: boolean;
  /** Absolute paths that kernels may read beside the system and Python. */
  readable: string[];
  /** What no kernel sees, but for its own part. */
  workDirectory: string;
  runtimeDirectory: string;
  /** What runs outside of walls: no kernel may write to it, or the next one that is forked would run what it wrote. */
  programs: string[];
}

/** What is wished for. */
export interface SandboxWish extends Omit<Sandbox, "level"> {
  sandbox: "none" | "auto" | "required";
  /** Of the kernels; it raises the walls. */
  interpreter: string;
  /** Told why there are none where they are wished for and not required. */
  onUnable?: (reasons: string) => void;
}

/** The program that raises walls. */
export const SANDBOX_PROGRAM = join(PYTHON_ROOT, "taskweaver_sandbox.py");

const PROBE_TIMEOUT_MS = 30_000;

/**
 * Finds out which wall kernels get; undefined for none.
 * @param ask By default the machine is asked by raising walls.
 * @throws UsageError where one is required and none holds.
 */
export async function chooseSandbox(wish: SandboxWish, ask = askMachine): Promise<Sandbox | undefined> {
  const { sandbox, interpreter, onUnable, ...rest } = wish;
  if (sandbox === "none") return undefined;
  const ability = await ask(interpreter);
  if (ability.level !== null) return { ...rest, level: ability.level };
  if (sandbox === "auto") {
    onUnable?.(reasonsOf(ability));
    return undefined;
  }
  throw new UsageError(`This machine cannot wall off kernels, and sandbox is "required": ${reasonsOf(ability)}.`);
}

/** Whether a session may work in a folder: one that holds what kernels must not see or change would open it to them. */
export function isOutside({ workDirectory, runtimeDirectory, programs }: Sandbox, folder: string): boolean {
  const real = realPathOf(folder);
  const kept = programs.map(realPathOf);
  return ![workDirectory, runtimeDirectory, ...kept].some((path) => holds(real, path)) && !kept.some((path) => holds(path, real));
}

function holds(folder: string, path: string): boolean {
  return `${path}/`.startsWith(folder === "/" ? folder : `${folder}/`);
}

function realPathOf(path: string): string {
  const named = resolve(path);
  try {
    return realpathSync(named);
  } catch {
    // What is not there yet is no symlink, but what it is to be made in may be one.
    return dirname(named) === named ? named : join(realPathOf(dirname(named)), basename(named));
  }
}

/** Why no wall holds, in words. */
export function reasonsOf({ reasons }: SandboxAbility): string {
  return Object.entries(reasons)
    .map(([level, reason]) => `${level}: ${reason}`)
    .join("; ");
}

/** Tries the walls on this machine; never rejects. */
export async function askMachine(interpreter: string): Promise<SandboxAbility> {
  const unable = (reason: string): SandboxAbility => ({ level: null, landlock: 0, reasons: { namespaces: reason }, switches: [] });
  if (process.platform !== "linux") return unable("they need Linux");
  try {
    const { stdout } = await promisify(execFile)(interpreter, [SANDBOX_PROGRAM, "--probe"], { timeout: PROBE_TIMEOUT_MS });
    return JSON.parse(stdout) as SandboxAbility;
  } catch (error) {
    return unable(`the attempt failed (${messageOf(error).split("\n")[0]})`);
  }
}
