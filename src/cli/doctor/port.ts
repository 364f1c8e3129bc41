/** Is the server's address free, or is it already ours, or a stranger's. */
import type { Check } from "./check.ts";

export const checkPort: Check = async ({ host, port }, machine) => {
  const name = "Port";
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const code = await machine.tryListen(host, port);
  if (code === undefined) return { name, status: "ok", detail: port === 0 ? "any free one" : `${address} is free` };
  if (code === "EADDRINUSE") {
    const health = await machine.getJson(`http://${address}/api/v1/health`);
    if (isOurs(health))
      return { name, status: "ok", detail: `${address} is taken by a TaskWeaver server (${health.version}); clients will use it` };
    const remedy = `Choose another with --port, or find out who has it: ${finder(machine.platform, port)}`;
    return { name, status: "problem", detail: `${address} is taken by another program`, remedy };
  }
  if (code === "EACCES")
    return { name, status: "problem", detail: `${address} is not for ordinary users`, remedy: "Choose a port above 1023 with --port" };
  const remedy = "Choose an address of this machine with --host, e.g. localhost";
  return { name, status: "problem", detail: `${host} is no address of this machine (${code})`, remedy };
};

/** The health document of a server of ours, any version. */
function isOurs(value: unknown): value is { version: string } {
  if (typeof value !== "object" || value === null) return false;
  const health = value as Record<string, unknown>;
  return health["status"] === "healthy" && typeof health["version"] === "string" && typeof health["active_sessions"] === "number";
}

function finder(platform: NodeJS.Platform, port: number): string {
  return platform === "win32" ? `netstat -ano | findstr :${port}` : `lsof -i :${port}`;
}
