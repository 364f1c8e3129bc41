/** How to reach one kernel: the content of a Jupyter connection file. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";

/**
 * A kernel's addresses and key, as in a connection file.
 * @see https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files
 */
export interface ConnectionInfo {
  transport: "ipc" | "tcp";
  /** An address for `tcp`; for `ipc` the path that the socket files' names begin with. */
  ip: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
  /** The key of the messages' signatures; empty means unsigned. */
  key: string;
  signature_scheme: "hmac-sha256";
  kernel_name?: string;
}

/** The channels of a kernel, by their names in the messaging protocol. */
export const CHANNELS = ["shell", "iopub", "stdin", "control", "hb"] as const;

/** One of {@link CHANNELS}. */
export type Channel = (typeof CHANNELS)[number];

/** Longest path of a Unix socket on Linux, in bytes: `sun_path` holds 108 with its terminating NUL. */
export const MAX_SOCKET_PATH_BYTES = 107;

/**
 * Makes the addresses of a new kernel on Unix sockets in a private folder, with a fresh key.
 * @param directory A folder that only the user can enter.
 * @param name Begins the sockets' file names; unique in the folder.
 * @throws RangeError where the socket paths would be longer than the platform allows.
 */
export function createIpcConnection(directory: string, name: string): ConnectionInfo {
  const ip = join(directory, name);
  const longest = Buffer.byteLength(`${ip}-5`);
  if (longest > MAX_SOCKET_PATH_BYTES) {
    throw new RangeError(`socket path of ${longest} bytes is longer than ${MAX_SOCKET_PATH_BYTES}: ${ip}`);
  }
  return {
    transport: "ipc",
    ip,
    shell_port: 1,
    iopub_port: 2,
    stdin_port: 3,
    control_port: 4,
    hb_port: 5,
    key: randomUUID(),
    signature_scheme: "hmac-sha256",
  };
}

/** The ZeroMQ address of one channel, e.g. `ipc:///run/k1-2` or `tcp://127.0.0.1:5555`. */
export function channelAddress(connection: ConnectionInfo, channel: Channel): string {
  const port = connection[`${channel}_port`];
  return connection.transport === "ipc" ? `ipc://${connection.ip}-${port}` : `tcp://${connection.ip}:${port}`;
}
