/** Who was killed for memory where a kernel has no limits of its own: the right file is read, on machines of different kinds. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryKillCounter } from "../../../../src/provision/limits/memory-kills.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "taskweaver-kills-"));
  for (const folder of ["proc/self", "proc/7", "v1/a", "v2/a"]) await mkdir(join(root, folder), { recursive: true });
  const mounts = [`1 0 0:1 / ${root}/v1 rw - cgroup cgroup rw,memory`, `2 0 0:2 / ${root}/v2 rw - cgroup2 cgroup2 rw`];
  await writeFile(join(root, "proc/self/mountinfo"), mounts.join("\n"));
  await writeFile(join(root, "proc/vmstat"), "pgfault 5\noom_kill 9\n");
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function counter(groups: string): Promise<() => unknown> {
  await writeFile(join(root, "proc/7/cgroup"), groups);
  return memoryKillCounter(7, join(root, "proc"));
}

test("of its control group in version 1", async () => {
  await writeFile(join(root, "v1/a/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  expect((await counter("4:memory:/a\n0::/a"))()).toEqual({ count: 2, limitBytes: null });
});

test("of its control group in version 2, as of now", async () => {
  const file = join(root, "v2/a/memory.events");
  await writeFile(file, "low 0\noom 1\noom_kill 3\n");
  const count = await counter("0::/a");
  await writeFile(file, "low 0\noom 1\noom_kill 4\n");
  expect(count()).toEqual({ count: 4, limitBytes: null });
});

test("of the machine where no group tells", async () => {
  expect((await counter("0::/a"))()).toEqual({ count: 9, limitBytes: null });
});

test("nobody's where nothing tells", async () => {
  const nowhere = await memoryKillCounter(7, join(root, "nothing"));
  expect(nowhere()).toBeUndefined();
});
