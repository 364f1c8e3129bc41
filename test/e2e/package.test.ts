/** What `npm run package` packs: all that an installed server needs, and nothing of its making. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";

test("the package holds the command, what it exports, the web console and the Python runtime, but neither sources nor tests", () => {
  const [packed] = JSON.parse(
    execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: PACKAGE_ROOT, stdio: ["ignore", "pipe", "ignore"] }).toString(),
  );
  const files = packed.files.map(({ path }: { path: string }) => path);
  const { bin, exports } = JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8"));
  const exported = Object.values<string | Record<string, string>>(exports).flatMap((entry) =>
    typeof entry === "string" ? entry : Object.values(entry),
  );
  const runtime = [
    "python/taskweaver_kernel.py",
    "python/taskweaver/plugin/__init__.py",
    "python/requirements.txt",
    "dist/console/index.html",
  ];
  expect(files).toEqual(expect.arrayContaining([bin.taskweaver, ...exported.map((path) => path.replace(/^\.\//, "")), ...runtime]));
  expect(files.filter((path: string) => /^(src|test|console|bench|docs)\/|^python\/tests|\.test\.|\.pyc$/.test(path))).toEqual([]);
});
