/** Folders for walled kernels that wait: each has its own from the start, and the session that takes the kernel takes its folders. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KernelLaunchRequest } from "../provision/provisioner.ts";
import { removeTree } from "../provision/remove-tree.ts";

/** What a kernel is started with while it waits, and how a session takes its place. */
export interface WaitingPlaces {
  make(): Promise<KernelLaunchRequest>;
  /** Whether a session can take a waiting kernel with its folders. */
  canTake(request: KernelLaunchRequest): Promise<boolean>;
  /** Puts the folders where the session has them. A wall goes by folders, not by names, so it holds on. */
  move(from: KernelLaunchRequest, to: KernelLaunchRequest): Promise<void>;
  remove(place: KernelLaunchRequest): Promise<void>;
}

const FOLDER = "pool";

/**
 * Places below the work directory, so that a rename moves them.
 * @param kernelName Of the kernels that wait.
 */
export function createWaitingPlaces(workDirectory: string, kernelName: string): WaitingPlaces {
  const folder = join(workDirectory, FOLDER);
  return {
    async make() {
      const place = join(folder, randomBytes(8).toString("hex"));
      const cwd = join(place, "cwd");
      const temporaryDirectory = join(place, "tmp");
      await mkdir(place, { recursive: true, mode: 0o700 });
      await mkdir(cwd);
      await mkdir(temporaryDirectory, { mode: 0o700 });
      return { kernelName, sessionId: "", cwd, env: {}, logFile: join(place, "kernel.log"), temporaryDirectory, isPooled: true };
    },
    async canTake({ cwd, temporaryDirectory }) {
      // A cwd of the user's own is not below the session's folder, and files of an earlier session are to stay.
      if (temporaryDirectory === undefined || dirname(cwd) !== dirname(temporaryDirectory)) return false;
      const names = await readdir(cwd).catch(() => ["unreadable"]);
      return names.length === 0;
    },
    async move(from, to) {
      if (from.temporaryDirectory === undefined || to.temporaryDirectory === undefined) return;
      await removeTree(to.temporaryDirectory);
      await rename(from.temporaryDirectory, to.temporaryDirectory);
      await rename(from.logFile, to.logFile);
      await rename(from.cwd, to.cwd);
      await removeTree(dirname(from.cwd));
    },
    remove: ({ cwd }) => removeTree(dirname(cwd)),
  };
}

/**
 * Removes the places that a server which was killed has left. To be called by the server that has the claim, before it makes its own; another's on the same
 * work directory loses kernels that wait, and starts others.
 */
export async function sweepWaitingPlaces(workDirectory: string): Promise<void> {
  const folder = join(workDirectory, FOLDER);
  const names = await readdir(folder).catch(() => []);
  const places = names.filter((name) => /^[0-9a-f]{16}$/.test(name));
  await Promise.all(places.map((name) => removeTree(join(folder, name)).catch(() => undefined)));
}
