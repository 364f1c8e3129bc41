/** A machine on which all is well, and of which a test changes what it is about. */
import type { DoctorSettings } from "../../../../src/cli/doctor/check.ts";
import type { Machine } from "../../../../src/cli/doctor/machine.ts";

export const SETTINGS: DoctorSettings = {
  python: "",
  host: "localhost",
  port: 8000,
  workDirectory: "/home/ada/workspace",
  sessionLimits: { memoryBytes: null, processes: null },
  sandbox: "none",
  container: false,
};

/** Commands are answered by their first word; those not named do not exist. */
export function fakeMachine(
  overrides: Partial<Machine> = {},
  commands: Record<string, [exitCode: number, stdout: string, stderr?: string]> = {},
): Machine {
  return {
    platform: "linux",
    nodeVersion: "22.11.0",
    environment: {},
    run: async (program) => {
      const [exitCode, stdout, stderr = ""] = commands[program] ?? [];
      return exitCode === undefined || stdout === undefined ? undefined : { exitCode, stdout, stderr };
    },
    tryListen: async () => undefined,
    getJson: async () => undefined,
    lookAt: async () => "writable",
    freeBytes: async () => 2 ** 40,
    surveyLimits: async () => ({ memory: "control groups (version 2)", processes: "control groups (version 2)" }),
    tryWalls: async () => ({ level: "namespaces", landlock: 7, reasons: {}, switches: [] }),
    ...overrides,
  };
}
