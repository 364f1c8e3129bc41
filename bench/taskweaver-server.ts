/** This server, started by its own command as a user would start it. */
import type { Bench, Closable } from "./bench.ts";
import type { Child } from "./child.ts";
import { sessionIds } from "./sampling.ts";
import { SessionApi } from "./session-api.ts";
import { API_KEY, startTaskweaver } from "./taskweaver-process.ts";

/** Node runs code slowly until it has compiled it: a server is measured as it is after its first moments. */
const WARM_UP_EXECUTIONS = 300;
const WARM_UP_SESSIONS = 10;

/** What stands around the kernels. */
export type Walls = "none" | "namespaces" | "landlock";

/** Runs a command where no namespaces can be made, so that a server takes the next best wall. */
const WITHOUT_NAMESPACES = [
  "unshare",
  "--user",
  "--map-root-user",
  "sh",
  "-c",
  'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"',
  "sh",
] as const;

/** A running server and its HTTP calls. */
export class TaskweaverServer implements Closable {
  readonly pid: number;
  readonly url: string;
  readonly api: SessionApi;
  readonly #child: Child;

  /** Starts a server with default settings but for the number of sessions, and walls; `name` is that of its CPU profiles. */
  static async start(bench: Bench, name: string, walls: Walls = "none"): Promise<TaskweaverServer> {
    const { child, url } = await startTaskweaver(bench, {
      command: "server",
      name,
      args: [`--python=${bench.options.python}`, "--max-sessions=1000", ...(walls === "none" ? [] : ["--sandbox=required"])],
      ...(walls === "landlock" ? { within: WITHOUT_NAMESPACES } : {}),
    });
    const server = new TaskweaverServer(child, url);
    try {
      await warmUp(server.api);
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  private constructor(child: Child, url: string) {
    this.pid = child.pid;
    this.url = url;
    this.api = new SessionApi(url, API_KEY);
    this.#child = child;
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.#child.close();
  }
}

/** What is measured has run before. */
export async function warmUp(api: SessionApi): Promise<void> {
  for (const id of sessionIds("warm-up", WARM_UP_SESSIONS)) {
    await api.create(id);
    for (let count = 0; count < WARM_UP_EXECUTIONS / WARM_UP_SESSIONS; count += 1) await api.execute(id, "1+1");
    await api.remove(id);
  }
}
