/** MCP over standard input and output, for clients that start their servers themselves. */
import type { Readable, Writable } from "node:stream";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import type { DefaultSession } from "./default-session.ts";
import { createMcpServer, type ClientSource } from "./server.ts";

/** An uploaded file comes in one message, as base64. */
const LARGEST_MESSAGE_BYTES = 128 * 1024 * 1024;

/** The two ends of the connection. */
export interface StdioStreams {
  stdin: Readable;
  /** Nothing else may be written to it. */
  stdout: Writable;
}

/** Serves one client; `ended` resolves when it has hung up. */
export function serveMcpOverStdio(
  { stdin, stdout }: StdioStreams,
  client: ClientSource,
  defaultSession: DefaultSession,
  onFault: (error: unknown) => void,
): { ended: Promise<void>; close: () => Promise<void> } {
  const ended = new Promise<void>((resolve) => {
    stdin.once("end", resolve);
    stdin.once("close", resolve);
  });
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: LARGEST_MESSAGE_BYTES });
  const handle = serveStdio(() => createMcpServer(client, defaultSession), { transport, onerror: onFault });
  return { ended, close: () => handle.close() };
}
