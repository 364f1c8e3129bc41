/** Is there an NVIDIA GPU that code could use. */
import type { Check } from "./check.ts";

export const checkGpu: Check = async (_settings, machine) => {
  const result = await machine.run("nvidia-smi", ["--query-gpu=name,memory.total", "--format=csv,noheader"]);
  if (result === undefined) return { name: "GPU", status: "ok", detail: "none found; only needed for code that uses one" };
  const gpus = result.stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "");
  if (result.exitCode === 0 && gpus.length > 0) return { name: "GPU", status: "ok", detail: gpus.join("; ") };
  const reason = (result.stderr.trim() || result.stdout.trim()).split("\n")[0] ?? "";
  return {
    name: "GPU",
    status: "warning",
    detail: `nvidia-smi fails: ${reason}`,
    remedy: "Reinstall the NVIDIA driver, or restart after its update",
  };
};
