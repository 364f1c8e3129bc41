/** Jupyter's own door at the gateway: kernels are sessions, and go where those are; what clients list is merged. */
import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import { askAll } from "./all-executors.ts";
import type { GatewayParts } from "./parts.ts";
import { forwardJson } from "./forward.ts";
import { JupyterDocuments, SESSION_PREFIX } from "./jupyter-documents.ts";
import { passing } from "./request-body.ts";
import { goneSignal, passOn } from "./session-proxy.ts";

interface KernelRoute {
  Params: { kernel_id: string };
}

interface StartRequest {
  name?: string | null;
  kernel_id?: string | null;
}

interface KernelSpecs {
  default: string;
  kernelspecs: Record<string, unknown>;
}

interface Status {
  started: string;
  last_activity: string;
  kernels: number;
  connections: number;
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** Everything below `/api` that is Jupyter's and not the same with all executors. */
export function jupyterRoutes(app: FastifyInstance, parts: GatewayParts): void {
  void app.register(async (scope) => {
    // JupyterLab's client does not say that its bodies are JSON.
    scope.addContentTypeParser("text/plain", { parseAs: "string" }, async (_request: FastifyRequest, body: string) => parseJson(body));
    scope.setErrorHandler((thrown, _request, reply) => {
      if (!(thrown instanceof AppError)) throw thrown;
      if (thrown.retryAfterSeconds !== undefined) reply.header("retry-after", String(thrown.retryAfterSeconds));
      // Jupyter's clients show `message`; the rest is as everywhere.
      return reply.status(thrown.status).send({ message: thrown.message, reason: null, detail: thrown.message, code: thrown.code });
    });
    kernelRoutes(scope, parts);
    documentRoutes(scope, parts);
    listRoutes(scope, parts);
  });
}

function kernelRoutes(app: FastifyInstance, { executors, calls, finder, maker, proxy, sockets }: GatewayParts): void {
  app.get("/api/kernels", async () => {
    const { answers } = await askAll<unknown[]>(executors, calls, "/api/kernels");
    return answers.flatMap(({ answer }) => answer);
  });

  app.post<{ Body: StartRequest | null }>("/api/kernels", { schema: { body: {} } }, async (request, reply) => {
    const body = { ...request.body };
    const joined = body.name?.startsWith(SESSION_PREFIX) === true ? body.name.slice(SESSION_PREFIX.length) : undefined;
    if (joined !== undefined) return proxy.toExecutor(request, reply, (await finder.find(joined)).executor, body);
    // With an id from the start its place can be claimed.
    const id = (body.kernel_id ??= randomUUID());
    const signal = goneSignal(reply);
    const { executor: holder, answer } = await maker.make(
      {
        id,
        requires: [],
        send: async (executor) => forwardJson(calls, executor, request, { json: body, signal }),
      },
      signal,
    );
    holder.isStale = true;
    return passOn(reply, answer);
  });

  app.get<KernelRoute>("/api/kernels/:kernel_id/channels", async (request, reply) => {
    if (!sockets.isUpgrade(request)) return proxy.handle(request, reply, request.params.kernel_id);
    const { executor } = await finder.findSurely(request.params.kernel_id);
    return sockets.join(request, reply, executor);
  });

  const handler = async (request: FastifyRequest<KernelRoute>, reply: FastifyReply) =>
    proxy.handle(request, reply, request.params.kernel_id);
  for (const url of ["/api/kernels/:kernel_id", "/api/kernels/:kernel_id/*"]) {
    const method = url.endsWith("*") ? METHODS.filter((each) => each !== "HEAD") : METHODS;
    app.route<KernelRoute>({ method, url, ...passing, handler });
  }
}

function documentRoutes(app: FastifyInstance, parts: GatewayParts): void {
  const documents = new JupyterDocuments(parts);
  const { proxy } = parts;

  app.get("/api/sessions", async () => documents.list());

  app.post<{ Body: { path?: string | null; kernel?: { id?: string | null; name?: string | null } | null } }>(
    "/api/sessions",
    { schema: { body: {} } },
    async (request, reply) => documents.open(request, reply),
  );

  app.route<{ Params: { id: string } }>({
    method: METHODS,
    url: "/api/sessions/:id",
    ...passing,
    handler: async (request, reply) => proxy.toExecutor(request, reply, await documents.executorOf(request.params.id)),
  });
}

function listRoutes(app: FastifyInstance, { executors, calls }: GatewayParts): void {
  const specs = async (): Promise<KernelSpecs> => {
    const { answers } = await askAll<KernelSpecs>(executors, calls, "/api/kernelspecs");
    return {
      default: "python3",
      kernelspecs: Object.assign({}, ...answers.map(({ answer }) => answer.kernelspecs)) as Record<string, unknown>,
    };
  };

  app.get("/api/kernelspecs", specs);

  app.get<{ Params: { name: string } }>("/api/kernelspecs/:name", async (request) => {
    const { kernelspecs } = await specs();
    if (!Object.hasOwn(kernelspecs, request.params.name)) {
      throw new AppError("not_found", `No kernel ${request.params.name.slice(0, 128)} is installed.`);
    }
    return kernelspecs[request.params.name];
  });

  app.get("/api/status", async (): Promise<Status> => {
    const { answers } = await askAll<Status>(executors, calls, "/api/status");
    const all = answers.map(({ answer }) => answer);
    const now = new Date().toISOString();
    return {
      started: all.map(({ started }) => started).toSorted()[0] ?? now,
      last_activity:
        all
          .map((each) => each.last_activity)
          .toSorted()
          .at(-1) ?? now,
      kernels: all.reduce((total, { kernels }) => total + kernels, 0),
      connections: all.reduce((total, { connections }) => total + connections, 0),
    };
  });
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch (error) {
    throw new AppError("invalid_json", undefined, { cause: error });
  }
}
