/** `taskweaver doctor`: what is missing on this machine, and the command that mends it. */
import type { Check, CheckResult, DoctorSettings } from "../doctor/check.ts";
import { checkDocker } from "../doctor/docker.ts";
import { checkGpu } from "../doctor/gpu.ts";
import { THIS_MACHINE, type Machine } from "../doctor/machine.ts";
import { checkNode } from "../doctor/node.ts";
import { checkPort } from "../doctor/port.ts";
import { pythonChecks } from "../doctor/python.ts";
import { canRun, jsonReport, textReport } from "../doctor/report.ts";
import { checkSessionLimits } from "../doctor/session-limits.ts";
import { checkWalls } from "../doctor/walls.ts";
import { checkWorkDirectory } from "../doctor/work-directory.ts";
import { messageOf } from "../../errors.ts";

/** What `taskweaver doctor` is called with. */
export interface DoctorOptions extends DoctorSettings {
  /** @default false */
  json?: boolean;
  /** @default the machine that this process runs on */
  machine?: Machine;
}

/** Where the report goes, e.g. `process.stdout`. */
export interface DoctorOutput {
  write(text: string): unknown;
  isTTY?: boolean;
}

/**
 * Runs all checks and writes their report.
 * @returns the exit code: 0 where the server can run, else 1.
 */
export async function doctor(options: DoctorOptions, out: DoctorOutput): Promise<number> {
  const machine = options.machine ?? THIS_MACHINE;
  const checks: Check[] = [
    checkNode,
    ...pythonChecks(),
    checkPort,
    checkWorkDirectory,
    checkSessionLimits,
    checkWalls,
    checkDocker,
    checkGpu,
  ];
  const results = await Promise.all(checks.map((check) => check(options, machine).catch(brokenCheck)));
  const hasColour = Boolean(out.isTTY) && !machine.environment["NO_COLOR"];
  out.write(options.json ? jsonReport(results) : textReport(results, hasColour));
  return canRun(results) ? 0 : 1;
}

/** A check that fails itself must neither hide what the others found nor pass for a good one. */
function brokenCheck(error: unknown): CheckResult {
  return { name: "Check", status: "problem", detail: `could not be done: ${messageOf(error)}` };
}
