/** Writes the file that tells a kernel its addresses and its key, and removes what a kernel leaves beside it. */
import { rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { CHANNELS, type ConnectionInfo } from "../kernel/connection.ts";
import { removeTree } from "./remove-tree.ts";
import { LAST_OUTPUT_FILES } from "./last-output.ts";
import { OUTPUT_PIPES } from "./output-pipes.ts";
import { WALLED_SOCKET_NAME } from "./sandbox/kernel-place.ts";

/** Writes it at once whole, readable by the user only: who knows the key can run code. */
export async function writeConnectionFile(file: string, connection: ConnectionInfo): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    await writeFile(temporary, JSON.stringify(connection), { mode: 0o600, flag: "wx" });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Removes a dead kernel's connection file, its sockets and its last output; a killed one leaves all of them. */
export async function removeConnectionFiles(file: string | null, connection: ConnectionInfo): Promise<void> {
  // A walled kernel has a folder of its own for them.
  if (connection.transport === "ipc" && basename(connection.ip) === WALLED_SOCKET_NAME) return removeTree(dirname(connection.ip));
  const { transport, ip } = connection;
  const names = [...CHANNELS.map((channel) => connection[`${channel}_port`]), ...LAST_OUTPUT_FILES, ...OUTPUT_PIPES];
  const sockets = transport === "ipc" ? names.map((name) => `${ip}-${name}`) : [];
  // Who takes a kernel over was not told the file's name; beside the sockets it has theirs.
  const files = [...(file === null ? [] : [file]), ...(transport === "ipc" ? [`${ip}.json`] : [])];
  await Promise.all([...files, ...sockets].map((path) => rm(path, { force: true })));
}
