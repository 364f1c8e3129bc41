/** Jupyter's own door: the part of Jupyter Server's API by which its clients find a kernel and talk to it. */
import websocket from "@fastify/websocket";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { WebSocket } from "ws";
import { AppError } from "../../errors.ts";
import type { HttpContext } from "../context.ts";
import { toAppError } from "../error-reply.ts";
import { channelRoutes, end } from "./channels.ts";
import { KernelManager } from "./kernel-manager.ts";
import { kernelRoutes } from "./kernels.ts";
import { serverRoutes } from "./server.ts";
import { sessionRoutes } from "./sessions.ts";
import { V1_PROTOCOL } from "./wire.ts";

/** For clients that are to come back: the server restarts. @see https://www.iana.org/assignments/websocket/websocket.xhtml */
const SERVICE_RESTART = 1012;

/** Lets routes take WebSockets. Call it before every other hook: it also hangs up on upgrades that one of those refuses. */
export async function registerWebSockets(app: FastifyInstance, context: HttpContext): Promise<void> {
  await app.register(websocket, {
    options: {
      maxPayload: context.settings.maxBodyBytes,
      perMessageDeflate: false,
      handleProtocols: (offered: Set<string>) => (offered.has(V1_PROTOCOL) ? V1_PROTOCOL : false),
    },
    // A broken connection is no failure of ours.
    errorHandler: (error: Error, socket: WebSocket) => {
      context.logger.debug({ error }, "a WebSocket failed");
      socket.terminate();
    },
    preClose(done: () => void) {
      for (const socket of app.websocketServer.clients) end(socket, SERVICE_RESTART, "the server ends");
      app.websocketServer.close(() => done());
    },
  });
}

/**
 * Registers everything below `/api` that is Jupyter's, under the same doors as all else.
 * @see https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html
 */
export async function registerJupyter(app: FastifyInstance, context: HttpContext): Promise<void> {
  await app.register(async (scope) => {
    // JupyterLab's client does not say that its bodies are JSON.
    scope.addContentTypeParser("text/plain", { parseAs: "string" }, async (_request: FastifyRequest, body: string) => parseJson(body));
    scope.setErrorHandler((thrown, request, reply) => {
      const error = toAppError(thrown);
      if (error.status >= 500 && error.code !== "shutting_down") request.log.error({ error: thrown }, error.message);
      if (error.retryAfterSeconds !== undefined) reply.header("retry-after", String(error.retryAfterSeconds));
      // Jupyter's clients show `message`; the rest is as everywhere.
      return reply.status(error.status).send({ message: error.message, reason: null, detail: error.message, code: error.code });
    });
    const kernels = new KernelManager(context.sessions);
    serverRoutes(scope, context, kernels);
    kernelRoutes(scope, context, kernels);
    sessionRoutes(scope, kernels);
    channelRoutes(scope, context, kernels);
  });
}

function parseJson(body: string): unknown {
  try {
    return body === "" ? undefined : JSON.parse(body);
  } catch (error) {
    throw new AppError("invalid_json", undefined, { cause: error });
  }
}
