/** Chooses, at the start, who holds the limits of sessions on this machine; what nobody can hold is refused. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { messageOf, UsageError } from "../../errors.ts";
import { PYTHON_ROOT } from "../../paths.ts";
import { findBaseV1, findBaseV2, type BaseSearch } from "./cgroup-base.ts";
import { cgroupsOf } from "./cgroup-files.ts";
import { CgroupHolder, describeVersion } from "./cgroup-holder.ts";
import { GroupNames } from "./group-names.ts";
import { asksForLimits, neededBy, type Controller, type LimitEntry, type LimitHolder, type SessionLimits } from "./limits.ts";
import { PlainHolder } from "./plain-holder.ts";

/** What the choice depends on. */
export interface LimitChoice {
  limits: SessionLimits;
  workDirectory: string;
  isClaimed: boolean;
  /** Tries the user namespace, and starts kernels in one. */
  interpreter: string;
  /** Told where a kernel of an earlier server cannot be held. */
  onUnheld?: (pid: number, error: unknown) => void;
  /** @default "/proc" */
  proc?: string;
}

/** The script that puts a process under its limits. */
export const LIMITS_SCRIPT = join(PYTHON_ROOT, "taskweaver/kernel/limits.py");

const USER_NAMESPACES = "a user namespace for each session";
const PROBE_LIMIT_MS = 10_000;

/**
 * Chooses a holder, having tried that it holds.
 * @throws UsageError that says what cannot be held, why, and what to do.
 */
export async function chooseLimitHolder(choice: LimitChoice): Promise<LimitHolder> {
  const { limits, interpreter } = choice;
  const names = new GroupNames(choice);
  if (!asksForLimits(limits)) return new PlainHolder({ name: "none", limits, names });
  const reasons: string[] = [];
  const needed = neededBy(limits);
  const search: BaseSearch = {
    cgroups: await cgroupsOf("self", choice.proc),
    needed,
    ...(choice.proc === undefined ? {} : { proc: choice.proc }),
  };
  for (const find of [findBaseV2, findBaseV1]) {
    const found = process.platform === "linux" ? await find(search) : { why: "control groups are a matter of Linux" };
    if ("why" in found) {
      reasons.push(found.why);
      continue;
    }
    const holder = new CgroupHolder({ ...found, limits, names, onUnheld: choice.onUnheld });
    const failure = await whyNot(holder);
    if (failure === undefined) return holder;
    reasons.push(`${holder.name}: ${failure}`);
  }
  if (limits.memoryBytes === null && limits.processes !== null) {
    const failure = await userNamespaceFailure(interpreter);
    const entry = { user_namespace_processes: limits.processes };
    if (failure === undefined) return new PlainHolder({ name: USER_NAMESPACES, limits, entry, names });
    reasons.push(`user namespaces: ${failure}`);
  }
  throw new UsageError(refusal(limits, reasons));
}

/** How each limit could be held on this machine, in words; null where nothing can. Looks only, and changes nothing. */
export interface LimitSurvey {
  memory: string | null;
  processes: string | null;
}

/** Finds out, for whoever asks before a start. @param interpreter Any Python. */
export async function surveyLimits(interpreter: string): Promise<LimitSurvey> {
  const held = async (controller: Controller): Promise<string | null> => {
    if (process.platform !== "linux") return null;
    const search: BaseSearch = { cgroups: await cgroupsOf("self"), needed: [controller], isTrial: true };
    for (const find of [findBaseV2, findBaseV1]) {
      const found = await find(search);
      if (!("why" in found)) return describeVersion(found.version);
    }
    return null;
  };
  const [memory, processes] = await Promise.all([held("memory"), held("pids")]);
  if (processes !== null || (await userNamespaceFailure(interpreter)) !== undefined) return { memory, processes };
  return { memory, processes: USER_NAMESPACES };
}

/** Tries the whole way of a kernel once: a group with its limits, a process that goes in, the end of both. */
async function whyNot(holder: CgroupHolder): Promise<string | undefined> {
  try {
    await holder.open();
    const group = await holder.prepare();
    try {
      const enter = 'for group; do echo 0 > "$group" || exit 1; done';
      const { exitCode, words } = await tryProgram("/bin/sh", ["-c", enter, "sh", ...(group.entry.groups ?? [])]);
      return exitCode === 0 ? undefined : `a process may not enter them: ${words}`;
    } finally {
      await group.release();
    }
  } catch (error) {
    await holder.close();
    return messageOf(error);
  }
}

/** Why user namespaces hold no limit of processes here; undefined where they do. */
async function userNamespaceFailure(interpreter: string): Promise<string | undefined> {
  if (process.platform !== "linux") return "a matter of Linux";
  if (process.getuid?.() === 0) return "the system spares root from their limit of processes";
  const probe: LimitEntry = { user_namespace_processes: 2 };
  const { exitCode, words } = await tryProgram(interpreter, ["-I", "-S", LIMITS_SCRIPT, "--probe", JSON.stringify(probe)]);
  if (exitCode === 0) return undefined;
  if (exitCode === 3 || exitCode === 4) return "this kernel of Linux counts a user's processes in all of them together";
  return words;
}

function refusal({ memoryBytes, processes }: SessionLimits, reasons: string[]): string {
  const asked = [...(memoryBytes === null ? [] : ["session_memory"]), ...(processes === null ? [] : ["session_processes"])];
  const what = asked.join(" and ");
  return (
    `${what} cannot be held on this machine (${reasons.join("; ")}): start the server where it has control groups of its own ` +
    `(systemd-run --user --scope -p Delegate=yes taskweaver server ..., or as root), use the limits of a container, or leave ${what} out.`
  );
}

function tryProgram(program: string, args: string[]): Promise<{ exitCode: number; words: string }> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: PROBE_LIMIT_MS, killSignal: "SIGKILL" }, (error, _stdout, stderr) => {
      const words = stderr.trim().split("\n").at(-1) ?? "";
      const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ exitCode, words: words === "" && error !== null ? error.message : words });
    });
    child.stdin?.end();
  });
}
