/** The key of a server that must have one and was given none: made once, kept in a file only the user can read. */
import { randomBytes } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Reads the key made earlier for this work directory, or makes it; the same key holds over restarts. */
export async function madeKey(workDirectory: string): Promise<{ key: string; file: string }> {
  const file = join(workDirectory, "api-key");
  const known = (await readFile(file, "utf8").catch(() => "")).trim();
  if (known !== "") {
    await chmod(file, 0o600);
    return { key: known, file };
  }
  const key = randomBytes(24).toString("base64url");
  await writeFile(file, `${key}\n`, { mode: 0o600, flag: "w" });
  await chmod(file, 0o600);
  return { key, file };
}
