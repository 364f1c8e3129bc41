/** The lock of a start: held by one, taken from the dead, never from the living. */
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { removeDeadStartLock, takeStartLock } from "../../../src/launcher/start-lock.ts";
import { whenDone } from "../../helpers/when-done.ts";

/** No process has it: it is above what systems give out. */
const DEAD = "2147483646";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "start-lock-"));
  path = join(folder, "server.starting");
  whenDone(() => rm(folder, { recursive: true }));
});

test("one holds it, and gives it back", async () => {
  const lock = await takeStartLock(folder);
  expect(await takeStartLock(folder)).toBeNull();
  await lock?.release();
  expect(await readdir(folder)).toEqual([]);
});

test("of many that find a dead one's, one takes it", async () => {
  await writeFile(path, `${DEAD} gone`);
  const taken = await Promise.all(Array.from({ length: 20 }, () => takeStartLock(folder)));
  expect(taken.filter((lock) => lock !== null)).toHaveLength(1);
  expect(await readdir(folder)).toEqual(["server.starting"]);
});

test("a dead one's is removed where no start is wanted, a living one's is not", async () => {
  await writeFile(path, `${DEAD} gone`);
  await removeDeadStartLock(folder);
  expect(await readdir(folder)).toEqual([]);
  await takeStartLock(folder);
  await removeDeadStartLock(folder);
  expect(await readdir(folder)).toEqual(["server.starting"]);
});

test("who was about to remove a dead one's, and is slow, leaves alone what a living one made meanwhile", async () => {
  for (let round = 0; round < 20; round += 1) {
    await writeFile(path, `${DEAD} round-${round}`);
    const removals = Array.from({ length: 5 }, () => removeDeadStartLock(folder));
    const lock = await takeStartLock(folder);
    await Promise.all(removals);
    if (lock === null) continue;
    expect(await readFile(path, "utf8")).toContain(String(process.pid));
    await lock.release();
  }
});

test("one that was killed while it removed a dead one's keeps nobody from it", async () => {
  await writeFile(path, `${DEAD} gone`);
  await writeFile(`${path}.gone`, `${DEAD} remover`);
  expect(await takeStartLock(folder)).toBeNull();
  expect(await takeStartLock(folder)).not.toBeNull();
  expect(await readdir(folder)).toEqual(["server.starting"]);
});

test("a file without a line, or whose holder has long given no sign, is a dead one's", async () => {
  for (const content of ["", String(process.pid)]) {
    await writeFile(path, content);
    expect(await takeStartLock(folder)).toBeNull();
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(path, longAgo, longAgo);
    await (await takeStartLock(folder))?.release();
    expect(await readdir(folder)).toEqual([]);
  }
});

test("who lost it to another does not release the other's", async () => {
  const lock = await takeStartLock(folder);
  await writeFile(path, "1 another");
  await lock?.release();
  expect(await readFile(path, "utf8")).toBe("1 another");
});
