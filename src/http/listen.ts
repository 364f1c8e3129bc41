/** Where the server listens, and what is said when it cannot. */
import { lstat, unlink } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { UsageError } from "../errors.ts";

/** Host and port, or a Unix socket. */
export interface ListenTarget {
  host: string;
  /** 0: any free one. */
  port: number;
  socketPath: string | null;
}

/**
 * Finds out early whether the port is free: preparing Python may take a minute.
 * @throws UsageError naming the port and what to do.
 */
export async function checkPortFree(target: ListenTarget): Promise<void> {
  if (target.socketPath !== null || target.port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", (error) => reject(explain(error, target)));
    probe.listen(target.port, target.host, () => probe.close(() => resolve()));
  });
}

/**
 * Listens; returns the URL to tell the user.
 * @throws UsageError where the address is taken, unknown or not allowed.
 */
export async function listen(app: FastifyInstance, target: ListenTarget): Promise<string> {
  try {
    if (target.socketPath !== null) {
      await removeStaleSocket(target.socketPath);
      const umask = process.umask(0o177);
      try {
        await app.listen({ path: target.socketPath });
      } finally {
        process.umask(umask);
      }
      return `unix:${target.socketPath}`;
    }
    await app.listen({ host: target.host, port: target.port });
    const { port } = app.server.address() as AddressInfo;
    return `http://${target.host.includes(":") ? `[${target.host}]` : target.host}:${port}`;
  } catch (error) {
    throw explain(error, target);
  }
}

/** Whether a host to bind to can be reached from this machine only. */
export function isLoopbackBind(target: ListenTarget): boolean {
  return target.socketPath !== null || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(target.host);
}

/** A socket file that nobody answers is left from a server that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new UsageError(`${path} is there and is no socket. Name another path with --socket.`);
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
  if (answered) throw new UsageError(`Another server listens on ${path}. Stop it, or name another path with --socket.`);
  await unlink(path);
}

function explain(error: unknown, { host, port, socketPath }: ListenTarget): Error {
  const code = (error as NodeJS.ErrnoException).code;
  const where = socketPath ?? `${host}:${port}`;
  const options = { cause: error };
  if (code === "EADDRINUSE") {
    return new UsageError(
      `Port ${port} on ${host} is in use. Stop what listens there (lsof -i :${port} shows it), or choose another with --port.`,
      options,
    );
  }
  if (code === "EACCES")
    return new UsageError(`Listening on ${where} is not permitted. Choose a port above 1023 with --port, or a writable place.`, options);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return new UsageError(`${host} is no address of this machine. Choose another with --host, for example localhost or 0.0.0.0.`, options);
  }
  return error instanceof Error ? error : new Error(String(error));
}
