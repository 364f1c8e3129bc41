/** A server of one's own inside this process, for a single run: on a Unix socket in a private folder, gone afterwards. */
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecutionClient } from "../client/index.ts";
import type { ServerSettings } from "../config.ts";
import { unixFetch } from "../launcher/index.ts";
import { startServer } from "../server.ts";

/** A private server and the way to it. */
export interface PrivateServer {
  client: ExecutionClient;
  /** Ends its kernels and removes its folder. Idempotent. */
  close(): Promise<void>;
}

/** Kernels of a run that was killed are of no use to anyone. */
const ORPHAN_TIMEOUT_MS = 5_000;

/**
 * Starts it.
 * @param settings Where it listens and keeps its things, it decides itself.
 */
export async function startPrivateServer(
  settings: ServerSettings,
  options: { timeoutMs: number | null; onProgress: (line: string) => void },
): Promise<PrivateServer> {
  // A name of the user's, kept short: the path of a socket may not be longer than 107 bytes.
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-run-"));
  const socketPath = join(folder, "http");
  const removeAtExit = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", removeAtExit);
  try {
    const server = await startServer(
      {
        ...settings,
        workDir: folder,
        host: "localhost",
        port: 0,
        socketPath,
        tls: null,
        apiKey: null,
        requireKey: false,
        logLevel: "silent",
        shutdownGraceMs: 0,
        orphanTimeoutMs: ORPHAN_TIMEOUT_MS,
        // For one kernel a template to fork from costs more than it gives.
        kernelStart: "spawn",
        kernelPool: 0,
        exitWhenUnused: false,
      },
      { onProgress: options.onProgress },
    );
    let closing: Promise<void> | undefined;
    const close = async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
      process.off("exit", removeAtExit);
    };
    return {
      client: new ExecutionClient({ fetch: unixFetch(socketPath), apiKey: server.apiKey ?? undefined, timeoutMs: options.timeoutMs }),
      close: () => (closing ??= close()),
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
