/** MCP over Streamable HTTP: clients of the revision without connections, and those before it, each with a connection of its own. */
import { randomUUID } from "node:crypto";
import {
  createMcpHandler,
  isLegacyRequest,
  WebStandardStreamableHTTPServerTransport,
  type McpHttpHandler,
} from "@modelcontextprotocol/server";
import type { DefaultSession } from "./default-session.ts";
import { createMcpServer, newDefaultSession, type ClientSource } from "./server.ts";

/** A connection of a client that keeps one. */
interface Connection {
  transport: WebStandardStreamableHTTPServerTransport;
  defaultSession: DefaultSession;
  /** Requests under way. */
  busy: number;
  usedAt: number;
}

/** A client that has left without a word is forgotten after this time. */
const IDLE_MS = 60 * 60 * 1000;
const MOST_CONNECTIONS = 1000;

/** What an endpoint is made with. */
export interface McpEndpointOptions {
  /** Of one request. */
  maxBodyBytes: number;
  /** Told of what goes wrong beside the answers. */
  onFault: (error: unknown) => void;
}

/** Serves `/mcp`. Who may call is the caller's to check. */
export class McpEndpoint {
  readonly #client: ClientSource;
  readonly #modern: McpHttpHandler;
  readonly #connections = new Map<string, Connection>();
  readonly #bound: { maxRequestBodySize: number };
  readonly #onFault: (error: unknown) => void;

  constructor(client: ClientSource, { maxBodyBytes, onFault }: McpEndpointOptions) {
    this.#client = client;
    this.#bound = { maxRequestBodySize: maxBodyBytes };
    this.#onFault = onFault;
    // Without connections nothing says which calls belong together: each that names no session gets one of its own, and the model is told its name.
    this.#modern = createMcpHandler(() => createMcpServer(client, newDefaultSession()), {
      ...this.#bound,
      legacy: "reject",
      onerror: onFault,
    });
  }

  /**
   * Answers one request.
   * @param request Its signal aborts when the client hangs up.
   */
  async handle(request: Request): Promise<Response> {
    if (!(await isLegacyRequest(request, undefined, this.#bound))) return this.#modern.fetch(request);
    const id = request.headers.get("mcp-session-id");
    const connection = id === null ? await this.#connect() : this.#connections.get(id);
    if (connection === undefined) return unknownConnection();
    connection.busy += 1;
    try {
      return whenRead(await connection.transport.handleRequest(request), () => release(connection));
    } catch (error) {
      release(connection);
      throw error;
    }
  }

  /** Ends all connections and what is under way. */
  async close(): Promise<void> {
    await this.#modern.close();
    await Promise.all([...this.#connections.values()].map(({ transport }) => transport.close()));
  }

  /** For a new client; a request that does not begin one is refused by the transport. */
  async #connect(): Promise<Connection> {
    this.#forgetIdle();
    const defaultSession = newDefaultSession();
    const transport: WebStandardStreamableHTTPServerTransport = new WebStandardStreamableHTTPServerTransport({
      ...this.#bound,
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => {
        this.#connections.set(id, connection);
      },
      onsessionclosed: (id) => {
        this.#connections.delete(id);
        void this.#endSession(defaultSession);
      },
    });
    const connection: Connection = { transport, defaultSession, busy: 0, usedAt: Date.now() };
    transport.onerror = this.#onFault;
    await createMcpServer(this.#client, defaultSession).connect(transport);
    return connection;
  }

  #forgetIdle(): void {
    const entries = [...this.#connections].filter(([, { busy }]) => busy === 0).toSorted(([, one], [, other]) => one.usedAt - other.usedAt);
    const tooMany = this.#connections.size - MOST_CONNECTIONS + 1;
    for (const [index, [id, connection]] of entries.entries()) {
      if (index >= tooMany && Date.now() - connection.usedAt < IDLE_MS) continue;
      this.#connections.delete(id);
      connection.transport.close().catch(this.#onFault);
      void this.#endSession(connection.defaultSession);
    }
  }

  async #endSession(session: DefaultSession): Promise<void> {
    try {
      await session.end(await this.#client());
    } catch (error) {
      this.#onFault(error);
    }
  }
}

/** As the protocol has it: the client begins anew. */
function unknownConnection(): Response {
  const error = { code: -32_001, message: "There is no such MCP session (any more): initialize a new one." };
  return Response.json({ jsonrpc: "2.0", error, id: null }, { status: 404 });
}

function release(connection: Connection): void {
  connection.busy -= 1;
  connection.usedAt = Date.now();
}

/** Calls back when the body has been read to its end or given up. */
function whenRead(response: Response, done: () => void): Response {
  if (response.body === null) {
    done();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await reader.read();
      if (!next.done) return controller.enqueue(next.value);
      done();
      controller.close();
    },
    async cancel(reason) {
      done();
      await reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
}
