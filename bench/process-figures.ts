/** Memory and processor time of processes, from Linux' `/proc`. */
import { readdir, readFile, writeFile } from "node:fs/promises";

const MIB = 1024 * 1024;

/** The processes whose environment, as they or the parent that forked them were started with, holds this `NAME=value`. */
export async function pidsWithMarker(marker: string): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => (await readProc(pid, "environ"))?.split("\0").includes(marker) === true && !(await isZombie(pid))),
  );
  return pids.filter((_, index) => found[index]);
}

/** Proportional set size in MiB, added up: memory that processes share counts once. */
export async function pssMib(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(
    pids.map(async (pid) => Number(/^Pss:\s+(\d+) kB/m.exec((await readProc(pid, "smaps_rollup")) ?? "")?.[1] ?? 0)),
  );
  return (each.reduce((sum, kib) => sum + kib, 0) * 1024) / MIB;
}

/** Time on a processor in ms, of all threads that live, added up. */
export async function processorMs(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map(processorMsOf));
  return each.reduce((sum, ms) => sum + ms, 0);
}

/** What all processes of the machine together have used of its processors since it started, and how much there was, in ticks. */
export async function machineTicks(): Promise<{ busy: number; all: number }> {
  const fields = ((await readFile("/proc/stat", "utf8")).split("\n")[0] ?? "").split(/\s+/).slice(1, 9).map(Number);
  const all = fields.reduce((sum, ticks) => sum + ticks, 0);
  // The fourth and fifth count idleness; the eighth is what the host took away, which is not idle.
  return { busy: all - (fields[3] ?? 0) - (fields[4] ?? 0), all };
}

/** Forgets the peak of a process' memory, and resolves with what it holds now, in MiB. */
export async function resetPeakRssMib(pid: number): Promise<number> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
  return statusMib(pid, "VmRSS");
}

/** The most memory in MiB that a process held since {@link resetPeakRssMib}. */
export function peakRssMib(pid: number): Promise<number> {
  return statusMib(pid, "VmHWM");
}

/** What a process holds now, in MiB, shared memory included. */
export function rssMib(pid: number): Promise<number> {
  return statusMib(pid, "VmRSS");
}

async function statusMib(pid: number, field: string): Promise<number> {
  const status = (await readProc(pid, "status")) ?? "";
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) * 1024) / MIB;
}

/** In nanoseconds where the kernel counts them, since ticks of 10 ms hide what an idle process does. */
async function processorMsOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const each = await Promise.all(threads.map(async (thread) => (await readProc(pid, `task/${thread}/schedstat`)) ?? "0"));
  return each.reduce((sum, text) => sum + Number(text.split(" ")[0]) / 1e6, 0);
}

async function isZombie(pid: number): Promise<boolean> {
  return /^State:\s+[ZX]/m.test((await readProc(pid, "status")) ?? "State: X");
}

/** Undefined where the process has gone, or is another user's. */
function readProc(pid: number, file: string): Promise<string | undefined> {
  return readFile(`/proc/${pid}/${file}`, "utf8").catch(() => undefined);
}
