/** Which walls around kernels this machine can raise, tried by raising them. */
import { reasonsOf, type SandboxAbility } from "../../provision/sandbox/sandbox.ts";
import type { Check } from "./check.ts";

const name = "Walls";

export const checkWalls: Check = async ({ python, sandbox, container }, machine) => {
  if (container) return { name, status: "ok", detail: "those of the container, and what it allows within" };
  const ability = await machine.tryWalls(python === "" ? "python3" : python);
  const isOff = sandbox === "none" ? "; off, see the setting sandbox" : "";
  if (ability.level === "namespaces") return { name, status: "ok", detail: `namespaces${isOff}` };
  const reasons = reasonsOf(ability);
  if (ability.level === "landlock") {
    const remedy = ability.switches.length > 0 ? { remedy: `For the stronger one: ${turn(ability)}` } : {};
    return { name, status: "ok", detail: `Landlock ${ability.landlock} (${reasons})${isOff}`, ...remedy };
  }
  const status = { none: "ok", auto: "warning", required: "problem" } as const;
  const remedy = remedyFor(ability, machine.platform);
  return { name, status: status[sandbox], detail: `cannot be raised: ${reasons}`, remedy };
};

function remedyFor(ability: SandboxAbility, platform: NodeJS.Platform): string {
  const container = "have the server in a container (docs/container.md)";
  if (platform !== "linux") return `For code that you do not trust, ${container}`;
  return ability.switches.length > 0 ? turn(ability) : `Linux 6.12 or newer has Landlock as it is needed; or ${container}`;
}

function turn({ switches }: SandboxAbility): string {
  return `sudo sysctl -w ${switches.join(" ")}`;
}
