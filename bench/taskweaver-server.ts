/** This server, started by its own command as a user would start it. */
import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { BENCH_CACHE, ROOT, type Bench, type Closable } from "./bench.ts";
import { Child } from "./child.ts";
import { sessionIds } from "./sampling.ts";
import { SessionApi } from "./session-api.ts";

const START_TIMEOUT_MS = 120_000;

/** Node runs code slowly until it has compiled it: a server is measured as it is after its first moments. */
const WARM_UP_EXECUTIONS = 300;
const WARM_UP_SESSIONS = 10;

/** What stands around the kernels. */
export type Walls = "none" | "namespaces" | "landlock";

/** Behind walls a key is needed. */
const API_KEY = "bench";

/** Runs a command where no namespaces can be made, so that a server takes the next best wall. */
const WITHOUT_NAMESPACES = ["--user", "--map-root-user", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"];

/** A running server and its HTTP calls. */
export class TaskweaverServer implements Closable {
  readonly pid: number;
  readonly api: SessionApi;
  readonly #child: Child;

  /** Starts a server with default settings but for the number of sessions, and walls; `name` is that of its CPU profiles. */
  static async start(bench: Bench, name: string, walls: Walls = "none"): Promise<TaskweaverServer> {
    const workDirectory = await mkdtemp(join(bench.folder, "work-"));
    const profiles = join(BENCH_CACHE, "profiles");
    if (bench.options.isProfiled) await mkdir(profiles, { recursive: true });
    const profiling = ["--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}.cpuprofile`];
    const isApart = walls === "landlock";
    const child = await Child.start({
      command: isApart ? "unshare" : process.execPath,
      args: [
        ...(isApart ? [...WITHOUT_NAMESPACES, process.execPath] : []),
        ...(bench.options.isProfiled ? profiling : []),
        join(ROOT, "dist/cli/main.js"),
        "server",
        "--host=127.0.0.1",
        "--port=0",
        `--work-dir=${workDirectory}`,
        `--python=${bench.options.python}`,
        "--max-sessions=1000",
        "--log-format=json",
        ...(walls === "none" ? [] : ["--sandbox=required"]),
      ],
      environment: { ...bench.environment, TASKWEAVER_SERVER_API_KEY: API_KEY },
      cwd: workDirectory,
      endedBy: "signal",
      graceMs: 60_000,
    });
    try {
      const line = await child.line(START_TIMEOUT_MS, (each) => urlIn(each) !== undefined);
      child.ignoreLines();
      const server = new TaskweaverServer(child, urlIn(line) ?? "");
      await warmUp(server.api);
      return server;
    } catch (error) {
      await child.close();
      throw error;
    }
  }

  private constructor(child: Child, url: string) {
    this.pid = child.pid;
    this.api = new SessionApi(url, API_KEY);
    this.#child = child;
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.#child.close();
  }
}

async function warmUp(api: SessionApi): Promise<void> {
  for (const id of sessionIds("warm-up", WARM_UP_SESSIONS)) {
    await api.create(id);
    for (let count = 0; count < WARM_UP_EXECUTIONS / WARM_UP_SESSIONS; count += 1) await api.execute(id, "1+1");
    await api.remove(id);
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
