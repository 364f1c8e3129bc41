/** Can the sessions' files be written. */
import { dirname } from "node:path";
import type { Check } from "./check.ts";

const ENOUGH_BYTES = 512 * 1024 * 1024;

export const checkWorkDirectory: Check = async ({ workDirectory }, machine) => {
  const name = "Work directory";
  let folder = workDirectory;
  let found = await machine.lookAt(folder);
  // It is made at the start, so the nearest folder that there is decides.
  while (found === "absent" && dirname(folder) !== folder) {
    folder = dirname(folder);
    found = await machine.lookAt(folder);
  }
  const remedy = `Choose another with --work-dir, or: sudo chown "$USER" "${folder}"`;
  if (found === "no_folder") return { name, status: "problem", detail: `${folder} is no folder`, remedy: "Choose another with --work-dir" };
  if (found !== "writable") return { name, status: "problem", detail: `${folder} is not writable`, remedy };
  const detail = folder === workDirectory ? workDirectory : `${workDirectory} (will be made)`;
  const freeBytes = await machine.freeBytes(folder);
  if (freeBytes >= ENOUGH_BYTES) return { name, status: "ok", detail };
  const free = `${Math.floor(freeBytes / 1024 / 1024)} MiB`;
  return {
    name,
    status: "warning",
    detail: `${detail}: only ${free} are free`,
    remedy: "Free some space, or choose another disk with --work-dir",
  };
};
