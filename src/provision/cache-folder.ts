/** Where things that are made once per user lie: the managed Python environment and what is known of interpreters. */
import { homedir } from "node:os";
import { join } from "node:path";

/** `$XDG_CACHE_HOME/taskweaver`, or `~/.cache/taskweaver`. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_CACHE_HOME"] || join(environment["HOME"] ?? homedir(), ".cache");
  return join(base, "taskweaver");
}
