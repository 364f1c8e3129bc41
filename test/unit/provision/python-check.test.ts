/** Asking an interpreter what it is. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkPython } from "../../../src/provision/python-check.ts";
import { installFakePython } from "./python-fakes.ts";

it("gives up on an interpreter that does not answer", async () => {
  const root = await mkdtemp(join(tmpdir(), "taskweaver-check-"));
  try {
    const interpreter = await installFakePython(join(root, "bin/python"));
    const environment = { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: root, FAKE_CHECK: "hangs" };
    const check = checkPython(interpreter, { environment, timeoutMs: 200 });
    await expect(check).rejects.toMatchObject({ name: "PythonCheckError", reason: "timeout" });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
