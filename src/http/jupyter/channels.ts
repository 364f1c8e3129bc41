/** `/api/kernels/{kernel_id}/channels`: a Jupyter client's WebSocket to a session's kernel. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { RawData, WebSocket } from "ws";
import { AppError } from "../../errors.ts";
import type { GuestMessage } from "../../session/guest-clients.ts";
import type { HttpContext } from "../context.ts";
import type { KernelManager } from "./kernel-manager.ts";
import { decodeFrame, encodeFrame } from "./wire.ts";

interface ChannelsRoute {
  Params: { kernel_id: string };
  Querystring: { session_id?: string | string[] };
}

/** What may wait for a client: past the first limit text is left out, past the second the client is sent away. */
export const OUTGOING_LIMITS = { textBytes: 16 * 1024 * 1024, bytes: 128 * 1024 * 1024 };

/** What of a client may wait for the kernel before no more is read from it. */
const INCOMING_LIMITS = { count: 10_000, bytes: 64 * 1024 * 1024 };

/** Close codes: of the standard, and as Jupyter's clients read them (after 1000 and 1001 they do not come back). @see RFC 6455, 7.4.1 */
const CLOSE = { noKernel: 1000, replaced: 1001, malformed: 1007, tooSlow: 1013 } as const;

const PING_EVERY_MS = 30_000;
/** A client that does not answer the end of the connection is hung up on. */
const CLOSE_GRACE_MS = 2_000;

/** Registers the route; the WebSocket plugin must be there. */
export function channelRoutes(app: FastifyInstance, { sessions, usage, logger }: HttpContext, kernels: KernelManager): void {
  app.get<ChannelsRoute>(
    "/api/kernels/:kernel_id/channels",
    {
      websocket: true,
      schema: { hide: true },
      // Before the handshake, so that an unknown kernel is a plain 404.
      preHandler: async (request) => {
        sessions.mustTakeWork();
        if (!request.ws) throw new AppError("invalid_request", "This path takes WebSocket connections only.");
        kernels.getRunning(request.params.kernel_id);
      },
    },
    (socket: WebSocket, request: FastifyRequest<ChannelsRoute>) => {
      const session = kernels.get(request.params.kernel_id);
      const { session_id: name } = request.query;
      const outgoing = new OutgoingMessages(socket);
      const guest = session.guests.join(typeof name === "string" ? name : "", {
        receive: (message) => outgoing.send(message),
        onRoom: () => {
          if (socket.isPaused && hasRoom()) socket.resume();
        },
        onEnd: (why) =>
          why === "no_kernel" ? end(socket, CLOSE.noKernel, "the kernel has ended") : end(socket, CLOSE.replaced, "connected again"),
      });
      const hasRoom = (): boolean => guest.waiting.count < INCOMING_LIMITS.count && guest.waiting.bytes < INCOMING_LIMITS.bytes;
      const stopPinging = keepAlive(socket);
      session.touch();
      socket.on("message", (raw: RawData, isBinary: boolean) => {
        const data = bytesOf(raw);
        usage.noteRequest();
        try {
          guest.send(decodeFrame({ data, isBinary }, socket.protocol), data.length);
        } catch (error) {
          if (!(error instanceof SyntaxError))
            logger.error({ error, sessionId: session.id }, "a Jupyter client's message could not be taken");
          end(socket, CLOSE.malformed, "not a kernel message");
        }
        if (!hasRoom()) socket.pause();
      });
      socket.on("close", () => {
        stopPinging();
        guest.leave();
      });
    },
  );
}

/** Ends a connection from this side, with or without the client's help. */
export function end(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
}

/** Messages on their way to one client. A kernel cannot be slowed for one of many listeners, so that what a slow one cannot take has an end. */
class OutgoingMessages {
  readonly #socket: WebSocket;
  /** Of the output that is being left out. */
  #leftOut: GuestMessage | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  send(message: GuestMessage): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > OUTGOING_LIMITS.bytes) return end(socket, CLOSE.tooSlow, "too much output waits to be read");
    if (message.header.msg_type === "stream" && socket.bufferedAmount > OUTGOING_LIMITS.textBytes) {
      this.#leftOut = message;
      return;
    }
    if (this.#leftOut !== undefined) this.#tellLeftOut(this.#leftOut);
    this.#write(message);
  }

  #tellLeftOut(last: GuestMessage): void {
    this.#leftOut = undefined;
    const text = "\n[output is missing here: it came faster than this connection takes it; the session's result holds all of it]\n";
    this.#write({ ...last, content: { name: "stderr", text } });
  }

  #write(message: GuestMessage): void {
    const { data, isBinary } = encodeFrame(message, this.#socket.protocol);
    this.#socket.send(data, { binary: isBinary });
  }
}

/** Pings now and then: proxies end quiet connections, and a client that is gone without a word is found out. */
function keepAlive(socket: WebSocket): () => void {
  let isAlive = true;
  socket.on("pong", () => (isAlive = true));
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, PING_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function bytesOf(raw: RawData): Buffer {
  if (Array.isArray(raw)) return Buffer.concat(raw);
  return raw instanceof ArrayBuffer ? Buffer.from(raw) : raw;
}
