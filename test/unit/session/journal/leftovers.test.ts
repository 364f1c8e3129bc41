/** What a server that was killed in the middle of writing has left is gone when the next one has started; what anybody may need stays. */
import { mkdir, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sweepWaitingPlaces } from "../../../../src/session/waiting-places.ts";
import { openStore, temporaryFolder } from "../../../helpers/fake-session.ts";

test("of a session: records and journals half written, and files that were about to lose their names", async () => {
  const workDirectory = await temporaryFolder();
  const folder = join(workDirectory, "sessions/s1");
  const { store: first } = await openStore({ workDirectory, reconnect: async () => ({}) });
  await first.create({ session_id: "s1" });
  await first.release();
  const kept = [
    "ces/executions-99999999.jsonl.new",
    "ces/executions.jsonl",
    "ces/kernel.log",
    "ces/session.json",
    "ces/session.json.bak.tmp",
  ];
  const gone = [
    "ces/session.json.0123abcd.tmp",
    "ces/executions.jsonl.new",
    "ces/executions-01234567.jsonl",
    "ces/executions-0123abcd.jsonl.new",
  ];
  const inCwd = ["cwd/mine.tmp", "cwd/.taskweaver-upload-0123456789abcdef"];
  const old = new Date(Date.now() - 3_600_000);
  for (const file of [...kept.filter((name) => name !== "ces/session.json"), ...gone, ...inCwd]) {
    await writeFile(join(folder, file), "");
    if (gone.includes(file)) await utimes(join(folder, file), old, old);
  }
  const { store } = await openStore({ workDirectory, reconnect: async () => ({}) });
  await store.recover();
  expect(store.count).toBe(1);
  expect((await readdir(join(folder, "ces"))).map((name) => `ces/${name}`).toSorted()).toEqual(kept);
  expect(await readdir(join(folder, "cwd"))).toEqual(["mine.tmp"]);
});

test("of one that had ended, too", async () => {
  const workDirectory = await temporaryFolder();
  const folder = join(workDirectory, "sessions/ended/ces");
  await mkdir(folder, { recursive: true });
  for (const name of ["executions.jsonl", "executions.jsonl.new", "session.json.0123abcd.tmp"]) await writeFile(join(folder, name), "");
  const { store } = await openStore({ workDirectory, reconnect: async () => ({}) });
  await store.recover();
  expect(await readdir(folder)).toEqual([]);
});

test("of kernels that waited behind walls", async () => {
  const workDirectory = await temporaryFolder();
  await mkdir(join(workDirectory, "pool/0123456789abcdef/cwd"), { recursive: true });
  await mkdir(join(workDirectory, "pool/somebody-elses"));
  await sweepWaitingPlaces(workDirectory);
  expect(await readdir(join(workDirectory, "pool"))).toEqual(["somebody-elses"]);
  await rm(join(workDirectory, "pool"), { recursive: true });
  await sweepWaitingPlaces(workDirectory);
});
