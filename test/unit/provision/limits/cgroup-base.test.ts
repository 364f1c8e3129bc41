/** Where groups can be made: in trees of plain folders and files that look like control groups of version 2 and 1. */
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findBaseV1, findBaseV2, SERVER_LEAF, type BaseSearch } from "../../../../src/provision/limits/cgroup-base.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "taskweaver-cgroup-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Makes a group with its parents. */
async function group(
  path: string,
  files: { controllers?: string; subtree?: string; procs?: number[]; isTop?: boolean } = {},
): Promise<string> {
  const folder = join(root, path);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "cgroup.controllers"), files.controllers ?? "cpu memory pids");
  await writeFile(join(folder, "cgroup.subtree_control"), files.subtree ?? "");
  await writeFile(join(folder, "cgroup.procs"), (files.procs ?? []).join("\n"));
  return folder;
}

function search(folder: string, overrides: Partial<BaseSearch> = {}): BaseSearch {
  return { cgroups: { v2: { version: 2, mountPoint: root, folder }, v1: {} }, needed: ["memory", "pids"], isTrial: true, ...overrides };
}

describe("version 2", () => {
  test("the server's own group is divided where the server is alone in it, with those who started it", async () => {
    await group("", { procs: [1] });
    const own = await group("system.slice/a.service", { procs: [process.pid, process.ppid] });
    expect(await findBaseV2(search(own))).toEqual({ version: 2, folders: { memory: own, pids: own } });
  });

  test("where others are in it, the nearest group above that hands the controllers on is taken", async () => {
    await group("", { subtree: "cpu memory pids", procs: [] });
    const slice = await group("user.slice", { subtree: "memory pids" });
    const own = await group("user.slice/session.scope", { procs: [process.pid, 999_999_999] });
    expect(await findBaseV2(search(own))).toEqual({ version: 2, folders: { memory: slice, pids: slice } });
  });

  test("a server that is started from the leaf of an earlier one does not nest another", async () => {
    await group("");
    const service = await group("a.service", { subtree: "memory pids" });
    const leaf = await group(`a.service/${SERVER_LEAF}`, { procs: [process.pid] });
    expect(await findBaseV2(search(leaf))).toEqual({ version: 2, folders: { memory: service, pids: service } });
  });

  test("what the tree does not have cannot be had", async () => {
    await group("", { controllers: "hugetlb" });
    const own = await group("a", { controllers: "hugetlb", procs: [process.pid] });
    expect(await findBaseV2(search(own))).toEqual({ why: 'control groups (version 2): "memory" is not among their controllers' });
  });

  test("where nobody hands on what is needed, that is the answer", async () => {
    await group("");
    const own = await group("session.scope", { procs: [process.pid, 999_999_999], controllers: "cpu" });
    expect(await findBaseV2(search(own))).toEqual({ why: expect.stringContaining("hands on memory and pids") });
  });

  test("a look leaves everything as it was", async () => {
    await group("");
    const own = await group("a.service", { procs: [process.pid] });
    await findBaseV2(search(own));
    expect(await readFile(join(own, "cgroup.subtree_control"), "utf8")).toBe("");
    await expect(access(join(own, SERVER_LEAF))).rejects.toThrow();
  });
});

describe("version 1", () => {
  test("has a folder for each controller", async () => {
    const [memory, pids] = [await group("memory/x"), await group("pids")];
    const place = (folder: string) => ({ version: 1 as const, mountPoint: dirname(folder), folder });
    const cgroups = { v2: undefined, v1: { memory: place(memory), pids: place(pids) } };
    expect(await findBaseV1({ cgroups, needed: ["memory", "pids"] })).toEqual({ version: 1, folders: { memory, pids } });
  });

  test("lacks what is not mounted", async () => {
    const cgroups = { v2: undefined, v1: {} };
    expect(await findBaseV1({ cgroups, needed: ["pids"] })).toEqual({ why: 'control groups (version 1): "pids" is not mounted' });
  });
});
