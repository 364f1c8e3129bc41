import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { madeKey } from "../../../src/http/made-key.ts";
import { temporaryFolder } from "../../helpers/fake-session.ts";

test("a made key is its user's alone, whatever the umask, and holds over restarts", async () => {
  const folder = await temporaryFolder();
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  const { key, file } = await madeKey(folder);
  expect([file, key.length >= 32, await readFile(file, "utf8")]).toEqual([join(folder, "api-key"), true, `${key}\n`]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await chmod(file, 0o644);
  expect(await madeKey(folder)).toEqual({ key, file });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await madeKey(await temporaryFolder())).key).not.toBe(key);
});

test("an empty file is no key: one is made", async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "api-key"), "\n");
  expect((await madeKey(folder)).key).not.toBe("");
});
