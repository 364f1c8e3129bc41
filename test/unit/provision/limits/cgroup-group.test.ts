/** What is written into a group and read from it: in plain folders with files of the same names. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CgroupGroup } from "../../../../src/provision/limits/cgroup-group.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskweaver-group-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
const put = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

describe("version 2", () => {
  const group = (): CgroupGroup => new CgroupGroup(2, { memory: folder, pids: folder });

  test("has one file for processes to enter, though it limits two things", () => {
    expect(group().entry).toEqual({ groups: [join(folder, "cgroup.procs")] });
  });

  test("limits memory without swap, and processes; null lifts", async () => {
    await group().limit({ memoryBytes: 1000, processes: 5 });
    expect(await Promise.all(["memory.max", "memory.swap.max", "pids.max"].map(read))).toEqual(["1000", "0", "5"]);
    await group().limit({ memoryBytes: null, processes: null });
    expect(await Promise.all(["memory.max", "memory.swap.max", "pids.max"].map(read))).toEqual(["max", "max", "max"]);
  });

  test("tells a shortage of its own from the machine's", async () => {
    const held = group();
    await held.limit({ memoryBytes: 1000, processes: null });
    await put("memory.events", "max 5\noom 0\noom_kill 1\n");
    expect(held.memoryKills()).toEqual({ count: 1, limitBytes: null });
    await put("memory.events", "max 5\noom 1\noom_kill 1\n");
    expect(held.memoryKills()).toEqual({ count: 1, limitBytes: 1000 });
  });
});

describe("version 1", () => {
  test("limits memory with swap to the same", async () => {
    await new CgroupGroup(1, { memory: folder }).limit({ memoryBytes: 1000, processes: 5 });
    expect(await Promise.all(["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"].map(read))).toEqual(["1000", "1000"]);
  });

  test("knows its own shortage by the most that was ever used", async () => {
    const held = new CgroupGroup(1, { memory: folder });
    await held.limit({ memoryBytes: 1000, processes: null });
    await put("memory.oom_control", "under_oom 0\noom_kill 2\n");
    await put("memory.max_usage_in_bytes", "500\n");
    expect(held.memoryKills()).toEqual({ count: 2, limitBytes: null });
    await put("memory.max_usage_in_bytes", "990\n");
    expect(held.memoryKills()).toEqual({ count: 2, limitBytes: 1000 });
  });

  test("counts nothing where it does not limit memory, or is gone", () => {
    expect(new CgroupGroup(1, { pids: folder }).memoryKills()).toBeUndefined();
    expect(new CgroupGroup(1, { memory: join(folder, "gone") }).memoryKills()).toBeUndefined();
  });
});
