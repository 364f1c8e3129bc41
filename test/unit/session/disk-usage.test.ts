/** Counting what files take: on real folders, since it is the disk that is asked. */
import { link, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { diskUsage } from "../../../src/session/disk-usage.ts";
import { temporaryFolder } from "../../helpers/fake-session.ts";

const MIB = 1024 * 1024;

test("files in all folders count once, by what they take: names of one file, folders within each other, links to elsewhere", async () => {
  const root = await temporaryFolder();
  const [inner, elsewhere] = [join(root, "a/b"), await temporaryFolder()];
  await mkdir(inner, { recursive: true });
  const empty = await diskUsage([root]);
  await writeFile(join(inner, "file"), Buffer.alloc(2 * MIB, 1));
  await link(join(inner, "file"), join(root, "same"));
  await writeFile(join(elsewhere, "other"), Buffer.alloc(8 * MIB, 1));
  await symlink(elsewhere, join(root, "link"));
  const taken = (await diskUsage([root, inner])) - empty;
  expect(taken).toBeGreaterThanOrEqual(2 * MIB);
  expect(taken).toBeLessThan(3 * MIB);
});

test("more files than are asked about at one time all count", async () => {
  const root = await temporaryFolder();
  const before = await diskUsage([root]);
  for (let count = 0; count < 300; count += 1) await writeFile(join(root, `file${count}`), Buffer.alloc(8192, 1));
  expect((await diskUsage([root])) - before).toBeGreaterThanOrEqual(300 * 8192);
});

test("what is not there takes nothing, and a walk that nobody waits for any more ends", async () => {
  const root = await temporaryFolder();
  await rm(root, { recursive: true });
  expect(await diskUsage([root])).toBe(0);
  const folder = await temporaryFolder();
  await mkdir(join(folder, "below"));
  await writeFile(join(folder, "below/file"), Buffer.alloc(MIB, 1));
  expect(await diskUsage([folder], AbortSignal.abort())).toBeLessThan(MIB);
});
