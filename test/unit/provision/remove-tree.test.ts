/** Folders are removed whole, also where code made that hard, and nothing that links lead to. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { removeTree } from "../../../src/provision/remove-tree.ts";
import { whenDone } from "../../helpers/when-done.ts";

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "taskweaver-remove-"));
  whenDone(() => rm(made, { recursive: true, force: true }));
  return made;
}

test("what is not there, is empty, or is a file is removed", async () => {
  const at = await folder();
  await mkdir(join(at, "empty"));
  await writeFile(join(at, "file"), "");
  for (const name of ["absent", "empty", "file"]) await removeTree(join(at, name));
  expect(await readdir(at)).toEqual([]);
});

test("what symlinks lead to stays", async () => {
  const at = await folder();
  await mkdir(join(at, "tree/-rf deep"), { recursive: true });
  await mkdir(join(at, "elsewhere"));
  await writeFile(join(at, "elsewhere/kept"), "kept");
  await symlink(join(at, "elsewhere"), join(at, "tree/-rf deep/link"));
  await symlink(join(at, "elsewhere"), join(at, "link"));
  await removeTree(join(at, "tree"));
  await removeTree(join(at, "link"));
  expect(await readdir(at)).toEqual(["elsewhere"]);
  expect(await readFile(join(at, "elsewhere/kept"), "utf8")).toBe("kept");
});

test("folders that were closed to their owner are opened for it", async () => {
  const at = await folder();
  await mkdir(join(at, "tree/closed"), { recursive: true });
  await writeFile(join(at, "tree/closed/file"), "");
  await chmod(join(at, "tree/closed"), 0);
  await chmod(join(at, "tree"), 0o500);
  await removeTree(join(at, "tree"));
  expect(await readdir(at)).toEqual([]);
});
