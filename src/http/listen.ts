/** Where the server listens, how it stops, and what is said when it cannot begin. */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { lstat, unlink } from "node:fs/promises";
import type { Server } from "node:http";
import { connect, createServer, type AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { UsageError } from "../errors.ts";
import type { Certificate } from "./certificate.ts";
import { createHttpServer, hangUp } from "./http-server.ts";

/** Host and port, or a Unix socket. */
export interface ListenTarget {
  host: string;
  /** 0: any free one. */
  port: number;
  socketPath: string | null;
  /** That of the application. */
  certificate?: Certificate | undefined;
}

/** An application that listens. */
export interface Listener {
  /** What to tell the user, e.g. `http://localhost:8000`, `https://` with a certificate; `unix:PATH` on a socket. */
  readonly url: string;
  /** Takes no more connections, lets the answers that are under way out for this long, and closes the application. */
  close(graceMs: number): Promise<void>;
}

/**
 * Finds out early whether the port is free: preparing Python may take a minute.
 * @throws UsageError naming the port and what to do.
 */
export async function checkPortFree(target: ListenTarget): Promise<void> {
  if (target.socketPath !== null || target.port === 0) return;
  try {
    for (const [index, host] of (await addressesOf(target.host)).entries()) {
      const probe = createServer().listen(target.port, host);
      await once(probe, "listening").catch((error: unknown) => ignoreMissingFamily(error, index));
      if (probe.listening) await once(probe.close(), "close");
    }
  } catch (error) {
    throw explain(error, target);
  }
}

/**
 * Listens; on `localhost` at all of its addresses, IPv4 and IPv6.
 * @throws UsageError where the address is taken, unknown or not allowed.
 */
export async function listen(app: FastifyInstance, target: ListenTarget): Promise<Listener> {
  const servers = [app.server];
  try {
    const url = target.socketPath === null ? await listenOnPort(app, target, servers) : await listenOnSocket(app, target.socketPath);
    const close = async (graceMs: number): Promise<void> => {
      target.certificate?.close();
      await closeAll(app, servers, graceMs);
    };
    return { url, close };
  } catch (error) {
    target.certificate?.close();
    await closeAll(app, servers, 0);
    throw explain(error, target);
  }
}

/** Whether a host to bind to can be reached from this machine only. */
export function isLoopbackBind(target: ListenTarget): boolean {
  return target.socketPath !== null || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(target.host);
}

async function listenOnPort(app: FastifyInstance, target: ListenTarget, servers: Server[]): Promise<string> {
  const [host = target.host, ...others] = await addressesOf(target.host);
  await app.listen({ host, port: target.port });
  const { port } = app.server.address() as AddressInfo;
  for (const other of others) {
    const server = createHttpServer((request, response) => app.routing(request, response), target.certificate);
    server.on("upgrade", (...upgrade) => app.server.emit("upgrade", ...upgrade));
    server.listen(port, other);
    const isListening = await once(server, "listening").then(
      () => true,
      (error: unknown) => ignoreMissingFamily(error, 1),
    );
    if (isListening) servers.push(server);
  }
  return `${target.certificate === undefined ? "http" : "https"}://${target.host.includes(":") ? `[${target.host}]` : target.host}:${port}`;
}

/** A name may stand for several addresses; only for `localhost` all of them are meant. */
async function addressesOf(host: string): Promise<string[]> {
  if (host.toLowerCase() !== "localhost") return [host];
  const found = await lookup(host, { all: true }).catch(() => []);
  const addresses = new Set(found.map(({ address }) => address));
  // Some machines list one of the two only, while their clients try both.
  return [...addresses.add("127.0.0.1").add("::1")].toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}

/** A machine without IPv6 is no failure, as long as the first address serves. */
function ignoreMissingFamily(error: unknown, index: number): false {
  const { code } = error as NodeJS.ErrnoException;
  if (index > 0 && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")) return false;
  throw error;
}

async function listenOnSocket(app: FastifyInstance, path: string): Promise<string> {
  await removeStaleSocket(path);
  const umask = process.umask(0o177);
  try {
    await app.listen({ path });
  } finally {
    process.umask(umask);
  }
  return `unix:${path}`;
}

async function closeAll(app: FastifyInstance, servers: Server[], graceMs: number): Promise<void> {
  const closings = servers.filter((server) => server.listening).map((server) => once(server.close(), "close"));
  await hangUp(servers, graceMs);
  await Promise.all([app.close(), ...closings]);
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
