/** Who could hold the limits of sessions here, and whether those that are asked for can be held. */
import type { Check } from "./check.ts";

export const checkSessionLimits: Check = async ({ python, sessionLimits, container }, machine) => {
  const name = "Session limits";
  if (container) return { name, status: "ok", detail: "those of the container" };
  const survey = await machine.surveyLimits(python === "" ? "python3" : python);
  const { memory, processes } = survey;
  const holders = [`session_memory: ${memory ?? "nothing here holds it"}`, `session_processes: ${processes ?? "nothing here holds it"}`];
  const detail = memory === processes && memory !== null ? `can be held by ${memory}` : holders.join("; ");
  const isLacking = (sessionLimits.memoryBytes !== null && memory === null) || (sessionLimits.processes !== null && processes === null);
  if (!isLacking) return { name, status: "ok", detail };
  const remedy = "systemd-run --user --scope -p Delegate=yes taskweaver server ..., or leave the setting out (docs/limits.md)";
  return { name, status: "problem", detail, remedy };
};
