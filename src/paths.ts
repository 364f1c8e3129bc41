/** Where the files that are not JavaScript lie; the same from `src/` and `dist/`, both one level below the root. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The package's root folder. */
export const PACKAGE_ROOT = fileURLToPath(new URL("../", import.meta.url));

/** The Python runtime: plugin package, kernel application, requirements. */
export const PYTHON_ROOT = fileURLToPath(new URL("../python/", import.meta.url));

/** The package's version, from its manifest. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return (manifest as { version: string }).version;
}
