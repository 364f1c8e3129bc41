/** Who counts as local: a program of the same user on this machine, and no web page and no proxy in between. */
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { isOwnedByUs } from "./socket-owner.ts";

/** What a request lacks to count as local; undefined where it does. */
export type NotLocal = "remote" | "foreign_host" | "forwarded" | "foreign_user";

/** By the connection's ends: what carries TLS is another object than the socket that was accepted. */
const ownership = new Map<string, Promise<boolean>>();

/** Looks up the owner of a just accepted connection; the answer is awaited only where a request comes without a key. */
export function noteConnection(socket: Socket): void {
  if (!isLoopbackAddress(socket.remoteAddress)) return;
  const ends = endsOf(socket);
  const isOwn = isOwnedByUs(socket).catch(() => false);
  ownership.set(ends, isOwn);
  socket.once("close", () => {
    // The next connection may have the same ends.
    if (ownership.get(ends) === isOwn) ownership.delete(ends);
  });
}

/** Both ends of a connection: no other that is open has the same. */
export function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/**
 * Why a request without a key does not count as local.
 * @param onUnixSocket Whether it came over the server's own Unix socket, whose file mode says who may connect.
 */
export async function whyNotLocal(socket: Socket, headers: IncomingHttpHeaders, onUnixSocket: boolean): Promise<NotLocal | undefined> {
  if (isForwarded(headers)) return "forwarded";
  if (onUnixSocket) return undefined;
  if (!isLoopbackAddress(socket.remoteAddress)) return "remote";
  if (!isLoopbackHost(headers.host)) return "foreign_host";
  return (await ownership.get(endsOf(socket))) === true ? undefined : "foreign_user";
}

/** Whether an address is of this machine itself: 127.0.0.0/8 or ::1, the former also as a dual-stack listener shows it. */
export function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(address));
}

/** Whether a `Host` header names this machine itself, whatever the port. A name that a web page chose (DNS rebinding) does not. */
export function isLoopbackHost(host: string | undefined): boolean {
  return host !== undefined && /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i.test(host);
}

function isForwarded(headers: IncomingHttpHeaders): boolean {
  return Object.keys(headers).some(
    (name) => name === "forwarded" || name.startsWith("x-forwarded-") || name === "x-real-ip" || name === "via",
  );
}
