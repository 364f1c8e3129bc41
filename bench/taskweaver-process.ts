/** A command of this package that listens: a server or a gateway, started as a user would start it. */
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { BENCH_CACHE, ROOT, type Bench } from "./bench.ts";
import { Child } from "./child.ts";

const START_TIMEOUT_MS = 120_000;

/** What servers and gateways of the benchmark are shown. */
export const API_KEY = "bench";

/** What is started. */
export interface TaskweaverProcessOptions {
  command: "server" | "gateway";
  args: readonly string[];
  /** That of its CPU profiles. */
  name: string;
  /** Over that of the benchmark. */
  environment?: Record<string, string>;
  /** A command that runs another one, and what it is given before that one. */
  within?: readonly [string, ...string[]];
}

/** Starts it on a port of its own, with a work directory of its own; resolves when it listens. */
export async function startTaskweaver(
  bench: Bench,
  { command, args, name, environment = {}, within }: TaskweaverProcessOptions,
): Promise<{ child: Child; url: string }> {
  const workDirectory = await mkdtemp(join(bench.folder, "work-"));
  const profiles = join(BENCH_CACHE, "profiles");
  if (bench.options.isProfiled) await mkdir(profiles, { recursive: true });
  const profiling = ["--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}.cpuprofile`];
  const child = await Child.start({
    command: within?.[0] ?? process.execPath,
    args: [
      ...(within === undefined ? [] : [...within.slice(1), process.execPath]),
      ...(bench.options.isProfiled ? profiling : []),
      join(ROOT, "dist/cli/main.js"),
      command,
      "--host=127.0.0.1",
      "--port=0",
      `--work-dir=${workDirectory}`,
      "--log-format=json",
      ...args,
    ],
    environment: { ...bench.environment, TASKWEAVER_SERVER_API_KEY: API_KEY, ...environment },
    cwd: workDirectory,
    endedBy: "signal",
    graceMs: 60_000,
  });
  try {
    const line = await child.line(START_TIMEOUT_MS, (each) => urlIn(each) !== undefined);
    child.ignoreLines();
    return { child, url: urlIn(line) ?? "" };
  } catch (error) {
    await child.close();
    throw error;
  }
}

/** The address, in the log's line that says that the server listens. */
function urlIn(line: string): string | undefined {
  try {
    const { msg, url } = JSON.parse(line) as { msg?: unknown; url?: unknown };
    return msg === "listening" && typeof url === "string" ? url : undefined;
  } catch {
    return undefined;
  }
}
