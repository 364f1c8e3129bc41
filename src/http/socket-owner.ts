/** Whose process is at the other end of a loopback connection: the kernel's table of sockets tells, on Linux. */
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { isIPv4 } from "node:net";

const ESTABLISHED = "01";

/**
 * Whether the client's end of a loopback connection belongs to the server's own user or root.
 * Ask as soon as the connection is accepted: later its row may be gone. A row without an inode or not established counts as foreign.
 * On platforms without `/proc/net/tcp` nobody can tell, and everyone on the machine counts as own.
 * @see https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
 */
export async function isOwnedByUs(socket: Pick<Socket, "remoteAddress" | "remotePort" | "localAddress" | "localPort">): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined) return false;
  // The client's row has the two ends the other way round. An IPv4 client may have made its connection with an IPv6 socket.
  const wanted = new Set(
    [asHex, asMappedHex].map((hex) => `${hex(remoteAddress)}:${portHex(remotePort)} ${hex(localAddress)}:${portHex(localPort)}`),
  );
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readFile(path, "latin1").catch(() => "")));
  for (const line of tables.join("\n").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (!wanted.has(`${fields[1]} ${fields[2]}`)) continue;
    const [state, uid, inode] = [fields[3], fields[7], fields[9]];
    return state === ESTABLISHED && inode !== "0" && (uid === "0" || uid === String(process.getuid?.()));
  }
  return false;
}

function portHex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

/** As the table writes addresses: 32-bit words in the machine's (little-endian) byte order. */
function asHex(address: string): string {
  const plain = unmapped(address);
  if (isIPv4(plain)) return wordHex(plain.split(".").map(Number));
  return wordsHex(ipv6Bytes(plain));
}

function asMappedHex(address: string): string {
  const plain = unmapped(address);
  if (!isIPv4(plain)) return asHex(plain);
  return wordsHex([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...plain.split(".").map(Number)]);
}

/** `::ffff:127.0.0.1` is how a dual-stack listener shows an IPv4 client. */
function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

function wordsHex(bytes: number[]): string {
  let text = "";
  for (let index = 0; index < bytes.length; index += 4) text += wordHex(bytes.slice(index, index + 4));
  return text;
}

function wordHex(bytes: number[]): string {
  return [...bytes]
    .reverse()
    .map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"))
    .join("");
}

function ipv6Bytes(address: string): number[] {
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const groups = (text: string): number[] => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => 0);
  return [...before, ...middle, ...after].flatMap((group) => [(group >> 8) & 255, group & 255]);
}
