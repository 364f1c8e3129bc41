/** The addresses of a kernel on loopback TCP, for platforms and kernels without Unix sockets. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import type { ConnectionInfo } from "../kernel/connection.ts";

/**
 * Picks five free ports and a fresh key. Other programs can take a port before the kernel binds it, so a start can fail by chance;
 * and whoever can open loopback connections can read (not forge) what the kernel publishes, which is why Unix sockets are preferred.
 */
export async function createTcpConnection(): Promise<ConnectionInfo> {
  const [shell = 0, iopub = 0, stdin = 0, control = 0, heartbeat = 0] = await freePorts(5);
  return {
    transport: "tcp",
    ip: "127.0.0.1",
    shell_port: shell,
    iopub_port: iopub,
    stdin_port: stdin,
    control_port: control,
    hb_port: heartbeat,
    key: randomUUID(),
    signature_scheme: "hmac-sha256",
  };
}

/** All are held until the last is found, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      const server = createServer();
      servers.push(server);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
    }
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  }
}
