/** Which wall kernels get, by what is wished for and what the machine can do. */
import { expect, test } from "vitest";
import { UsageError } from "../../../../src/errors.ts";
import { chooseSandbox, isOutside, type SandboxAbility } from "../../../../src/provision/sandbox/sandbox.ts";

const wish = {
  network: true,
  readable: [],
  workDirectory: "/data/files",
  runtimeDirectory: "/run/us",
  programs: ["/opt/python"],
  interpreter: "python3",
};
const able: SandboxAbility = { level: "landlock", landlock: 7, reasons: { namespaces: "not permitted" }, switches: [] };
const unable: SandboxAbility = { level: null, landlock: 0, reasons: { namespaces: "not permitted", landlock: "too old" }, switches: [] };

test("none asks no machine", async () => {
  const ask = () => Promise.reject(new Error("asked"));
  expect(await chooseSandbox({ ...wish, sandbox: "none" }, ask)).toBeUndefined();
});

test.each(["auto", "required"] as const)("%s takes the wall that the machine can raise", async (sandbox) => {
  expect(await chooseSandbox({ ...wish, sandbox }, async () => able)).toMatchObject({ level: "landlock", workDirectory: "/data/files" });
});

test("where no wall holds, auto goes without and required refuses in one sentence", async () => {
  const told: string[] = [];
  const onUnable = (reasons: string) => void told.push(reasons);
  expect(await chooseSandbox({ ...wish, sandbox: "auto", onUnable }, async () => unable)).toBeUndefined();
  expect(told).toEqual(["namespaces: not permitted; landlock: too old"]);
  const refused = chooseSandbox({ ...wish, sandbox: "required" }, async () => unable);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(
    'This machine cannot wall off kernels, and sandbox is "required": namespaces: not permitted; landlock: too old.',
  );
});

test("a folder that holds what kernels must not see, or belongs to programs that run outside, is not for a session", () => {
  const sandbox = { ...wish, level: "namespaces" } as const;
  expect(["/", "/data", "/data/files", "/run/us/", "/data/files/.."].map((folder) => isOutside(sandbox, folder))).toEqual(
    Array(5).fill(false),
  );
  expect(["/opt", "/opt/python", "/opt/python/lib"].map((folder) => isOutside(sandbox, folder))).toEqual([false, false, false]);
  expect(["/data/files/project", "/data/filesystems", "/home/us"].map((folder) => isOutside(sandbox, folder))).toEqual([true, true, true]);
});
