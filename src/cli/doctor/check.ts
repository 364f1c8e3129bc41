/** The shape of a check and what it is told. */
import type { Machine } from "./machine.ts";

/** What a check found. Only a `problem` keeps the server from running as it was asked to. */
export interface CheckResult {
  name: string;
  status: "ok" | "warning" | "problem";
  /** What is there, in a few words. */
  detail: string;
  /** What to do, where there is something. */
  remedy?: string;
}

/** The settings that the checks look at. */
export interface DoctorSettings {
  /** As the user named it; empty: found, or made once. */
  python: string;
  host: string;
  port: number;
  /** Absolute path. */
  workDirectory: string;
  /** What is asked for each session; null: no limit. */
  sessionLimits: { memoryBytes: number | null; processes: number | null };
  /** Whether kernels are to be walled off. */
  sandbox: "none" | "auto" | "required";
  /** Whether the server is to run in a container: then a missing container engine is a problem. */
  container: boolean;
}

/** Examines one thing. */
export type Check = (settings: DoctorSettings, machine: Machine) => Promise<CheckResult>;
