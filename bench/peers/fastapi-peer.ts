/** The plain FastAPI server with three executions per call; `fastapi_peer.py` says what it does. */
import { join } from "node:path";
import { ROOT, type Bench, type Closable } from "../bench.ts";
import { Child } from "../child.ts";
import { SessionApi } from "../session-api.ts";

const START_TIMEOUT_MS = 60_000;

/** A running peer and its HTTP calls. */
export class FastapiPeer implements Closable {
  readonly pid: number;
  readonly api: SessionApi;
  readonly #child: Child;

  static async start(bench: Bench): Promise<FastapiPeer> {
    const child = await Child.start({
      command: bench.options.python,
      args: [join(ROOT, "bench/peers/fastapi_peer.py")],
      environment: bench.environment,
      cwd: bench.folder,
    });
    try {
      const { port } = JSON.parse(await child.line(START_TIMEOUT_MS)) as { port: number };
      return new FastapiPeer(child, port);
    } catch (error) {
      await child.close();
      throw error;
    }
  }

  private constructor(child: Child, port: number) {
    this.pid = child.pid;
    this.api = new SessionApi(`http://127.0.0.1:${port}`);
    this.#child = child;
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.#child.close();
  }
}
