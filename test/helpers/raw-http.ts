/** HTTP as bytes on a socket, for requests that no well-behaved client can be made to send. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { whenDone } from "./when-done.ts";

/** Opens a connection; it ends with the test. */
export async function openSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  whenDone(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Sends bytes and reads until the server hangs up; `Connection: close` is the caller's to send. */
export async function sendRaw(url: string, bytes: string | Buffer): Promise<string> {
  const socket = await openSocket(url);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return Buffer.concat(chunks).toString("utf8");
}

/** Sends a request with this line and these headers, and reads the whole answer. */
export async function request(url: string, line: string, headers: string[] = [], body: string | Buffer = ""): Promise<RawAnswer> {
  const head = [
    `${line} HTTP/1.1`,
    ...headers,
    "Connection: close",
    ...(body === "" ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  const text = await sendRaw(url, Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), Buffer.from(body)]));
  return parseAnswer(text);
}

/** An answer in its parts; status 0 where there was none. */
export interface RawAnswer {
  status: number;
  head: string;
  body: string;
}

/** Splits an answer. */
export function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0), head, body: end < 0 ? "" : text.slice(end + 4) };
}
