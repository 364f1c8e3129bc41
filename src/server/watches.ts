/** What a server looks at now and then: what its sessions write, and whether anybody uses it. */
import { join } from "node:path";
import type { Logger } from "pino";
import type { ServerSettings } from "../config.ts";
import { DiskWatch } from "../session/disk-watch.ts";
import { KernelLogs } from "../session/kernel-logs.ts";
import type { SessionStore } from "../session/session-store.ts";
import type { Usage } from "../session/usage.ts";
import { kernelLogOf } from "../session/workspace.ts";
import { FORK_SERVER_LOG, KERNEL_POOL_LOG } from "./kernel-log-files.ts";

/** Watches what sessions' folders hold; undefined where there is no limit. */
export function watchDisk({ sessionDiskBytes: limitBytes }: ServerSettings, sessions: SessionStore, logger: Logger): DiskWatch | undefined {
  if (limitBytes === null) return undefined;
  const watch = new DiskWatch({ limitBytes, sessions: () => sessions.list(), logger });
  watch.start();
  return watch;
}

/** Watches what kernels write to their logs. */
export function watchKernelLogs({ maxKernelLogBytes, workDir }: ServerSettings, sessions: SessionStore, logger: Logger): KernelLogs {
  const shared = [FORK_SERVER_LOG, KERNEL_POOL_LOG].map((name) => join(workDir, name));
  const files = (which: "all" | "busy"): string[] => {
    const looked = sessions.list().filter((session) => which === "all" || session.busy);
    return [...shared, ...looked.map(({ workspace }) => kernelLogOf(workspace))];
  };
  const logs = new KernelLogs({ files, maxBytes: maxKernelLogBytes, logger });
  logs.start();
  return logs;
}

/** Looks now and then whether the server that a client started is still used by any. */
export function watchUnused(usage: Usage, sessions: SessionStore, graceMs: number, onUnused: (() => void) | undefined): NodeJS.Timeout {
  const timer = setInterval(
    () => {
      if (sessions.busyCount > 0 || !usage.isUnusedFor(graceMs)) return;
      clearInterval(timer);
      onUnused?.();
    },
    Math.min(1000, graceMs),
  );
  return timer;
}
