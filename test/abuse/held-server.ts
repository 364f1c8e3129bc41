/** A real server, outside of any container, whose sessions are held to limits by control groups; for attacks by the code of a session. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, vi } from "vitest";
import type { ServerSettings } from "../../src/index.ts";
import { messageOf } from "../../src/errors.ts";
import { cgroupsOf } from "../../src/provision/limits/cgroup-files.ts";
import { chooseLimitHolder } from "../../src/provision/limits/choose.ts";
import { GroupNames } from "../../src/provision/limits/group-names.ts";
import { testPython } from "../helpers/python.ts";
import { startLiveServer, type LiveServer } from "../helpers/server.ts";

/** Skips each test of the file, and says why, where the machine has no control groups that this user may divide. */
export function needsControlGroups(): void {
  beforeEach(async ({ skip }) => {
    const why = await missing();
    skip(why !== undefined, why);
  });
}

let known: Promise<string | undefined> | undefined;

function missing(): Promise<string | undefined> {
  return (known ??= tryToHold());
}

async function tryToHold(): Promise<string | undefined> {
  const interpreter = testPython();
  const workDirectory = await mkdtemp(join(tmpdir(), "taskweaver-limits-"));
  try {
    const limits = { memoryBytes: 2 ** 30, processes: 100 };
    const holder = await chooseLimitHolder({ limits, workDirectory, isClaimed: true, interpreter });
    await holder.close();
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await rm(workDirectory, { recursive: true, force: true });
  }
}

/** Starts it. */
export function startHeldServer(limits: Partial<ServerSettings>): Promise<LiveServer> {
  return startLiveServer(limits);
}

/** The folders of the control groups that hold the kernels of a server, as they are now. */
export async function groupsOf({ workDir }: Pick<LiveServer, "workDir">): Promise<string[]> {
  const { baseName } = new GroupNames({ workDirectory: workDir, isClaimed: true });
  const { v1, v2 } = await cgroupsOf("self");
  const places = [v2?.folder, v1.memory?.folder, v1.pids?.folder].filter((place) => place !== undefined);
  const bases = places.flatMap((place) => [join(place, baseName), join(place, "..", baseName)]);
  const names = await Promise.all(
    bases.map(async (base) =>
      (await readdir(base, { withFileTypes: true }).catch(() => []))
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(base, entry.name)),
    ),
  );
  return names.flat();
}

/** The processes in all of these groups now, by number. */
export async function processesIn(server: Pick<LiveServer, "workDir">): Promise<number[]> {
  const groups = await groupsOf(server);
  const texts = await Promise.all(groups.map((group) => readFile(join(group, "cgroup.procs"), "utf8").catch(() => "")));
  const pids = texts.flatMap((text) => text.split("\n").filter((line) => line !== ""));
  return [...new Set(pids.map(Number))].toSorted((one, other) => one - other);
}

/** Waits until nothing of them (groups, or folders above) is left. */
export async function expectGone(groups: string[]): Promise<void> {
  await vi.waitFor(() => expect(groups.filter((group) => existsSync(group))).toEqual([]), { timeout: 10_000 });
}

/** During and after an attack: the server answers, and another session has its variables (`kept = 1`) and runs code. */
export async function expectOthersUnharmed({ api, run }: LiveServer, other: string): Promise<void> {
  expect((await fetch(`${api}/health`)).status).toBe(200);
  expect(await run(other, "kept + 1")).toMatchObject({ reason: "completed", output: 2 });
}
