/** Asking an interpreter what it is. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkPython } from "../../../src/provision/python-check.ts";
import { installFakePython } from "./python-fakes.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "taskweaver-check-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

it("gives up on an interpreter that does not answer", async () => {
  const interpreter = await installFakePython(join(root, "bin/python"));
  const environment = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: root, FAKE_CHECK: "hangs" };
  const check = checkPython(interpreter, { environment, timeoutMs: 200 });
  await expect(check).rejects.toMatchObject({ name: "PythonCheckError", reason: "timeout" });
});

it("looks through a shim that chooses a Python by the current folder, and asks it each time", async () => {
  const real = await installFakePython(join(root, "real/bin/python"));
  const shim = join(root, "shim");
  await writeFile(shim, `#!/bin/sh\nFAKE_EXECUTABLE='${real}' exec '${real}' "$@"\n`, { mode: 0o755 });
  const environment = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: join(root, "cache") };
  expect((await checkPython(shim, { environment })).interpreter).toBe(real);
  await expect(readdir(join(root, "cache"))).rejects.toThrow("ENOENT");
});
