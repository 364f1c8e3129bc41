/** Where the control groups of a process are, on machines of different kinds. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cgroupsOf } from "../../../../src/provision/limits/cgroup-files.ts";

let proc: string;
beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), "taskweaver-proc-"));
  for (const name of ["self", "42"]) await mkdir(join(proc, name));
});
afterEach(() => rm(proc, { recursive: true, force: true }));

async function machine(mounts: string[], groups: string[]): Promise<void> {
  await writeFile(join(proc, "self/mountinfo"), mounts.join("\n"));
  await writeFile(join(proc, "42/cgroup"), groups.join("\n"));
}

test("version 2 has one folder for everything", async () => {
  await machine(["30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"], ["0::/user.slice/a.scope"]);
  expect(await cgroupsOf(42, proc)).toEqual({
    v2: { version: 2, mountPoint: "/sys/fs/cgroup", folder: "/sys/fs/cgroup/user.slice/a.scope" },
    v1: {},
  });
});

test("version 1 has one for each controller, several of which may share a mount; version 2 may be there beside", async () => {
  await machine(
    [
      "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
      "36 31 0:33 / /sys/fs/cgroup/cpu\\040and rw - cgroup cgroup rw,cpu,pids",
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    ],
    ["8:cpu,pids:/", "4:memory:/a/b", "0::/"],
  );
  const { v1, v2 } = await cgroupsOf(42, proc);
  expect(v1.memory?.folder).toBe("/sys/fs/cgroup/memory/a/b");
  expect(v1.pids?.folder).toBe("/sys/fs/cgroup/cpu and");
  expect(v2?.folder).toBe("/sys/fs/cgroup/unified");
});

test("in a container the mount shows the container's part of the tree", async () => {
  await machine(
    ["35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"],
    ["4:memory:/docker/abc/k1", "8:pids:/docker/abc"],
  );
  expect((await cgroupsOf(42, proc)).v1).toEqual({
    memory: { version: 1, mountPoint: "/sys/fs/cgroup/memory", folder: "/sys/fs/cgroup/memory/k1" },
  });
});

test("a folder outside of what is mounted is none; nor is anything where nothing can be read", async () => {
  await machine(["35 31 0:32 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw"], ["0::/../elsewhere"]);
  expect(await cgroupsOf(42, proc)).toEqual({ v2: undefined, v1: {} });
  expect(await cgroupsOf(43, join(proc, "nothing"))).toEqual({ v2: undefined, v1: {} });
});
