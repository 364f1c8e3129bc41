/** An executor without kernels: what gateways ask of one, answered at once and counted, so that hundreds fit into the benchmark's process. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ClaimLists, ClaimRequest } from "../src/api/index.ts";
import type { Closable } from "./bench.ts";
import { SimulatedExecutor } from "./placement/simulated-executor.ts";

const MAX_SESSIONS = 1000;
const KEEP_ALIVE_MS = 72_000;

/** Listens on a port of its own. */
export class LightExecutor implements Closable {
  readonly url: string;
  /** Questions about single claims that were asked here. */
  questions = 0;
  readonly #server: Server;

  static async start(index: number): Promise<LightExecutor> {
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new LightExecutor(server, new SimulatedExecutor(index, MAX_SESSIONS));
  }

  private constructor(server: Server, executor: SimulatedExecutor) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#server = server;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      void readJson(request).then((body) => {
        const { status, answer } = this.#answer(executor, request, body);
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
      });
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(executor: SimulatedExecutor, { method, url = "" }: IncomingMessage, body: unknown): { status: number; answer: unknown } {
    const { pathname, searchParams } = new URL(url, "http://executor");
    const [kind, id = ""] = pathname.split("/").slice(3);
    const ok = (answer: unknown) => ({ status: 200, answer });
    if (kind === "ready") return ok(executor.readiness());
    if (kind === "claims" && id === "") {
      if (method === "GET") return ok(executor.list());
      executor.tell(body as ClaimLists);
      return ok(body);
    }
    if (kind === "claims") {
      this.questions += 1;
      if (method === "PUT") return ok(executor.claim(id, body as ClaimRequest));
      if (method === "DELETE") return ok(executor.dropClaim(id, searchParams.get("executor") ?? ""));
      return ok(executor.claimOf(id));
    }
    if (kind === "sessions" && id === "") {
      const { session_id } = body as { session_id: string };
      return { status: executor.create(session_id), answer: { session_id, status: "created", cwd: "/" } };
    }
    if (kind === "sessions" && executor.sessions.has(id)) return ok({ session_id: id, status: "running", execution_count: 0 });
    return { status: 404, answer: { detail: `There is no session ${id}.`, code: "session_not_found" } };
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk as string;
  return text === "" ? undefined : JSON.parse(text);
}
