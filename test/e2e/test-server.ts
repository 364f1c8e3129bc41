/** A server of its own for a test: a free port, a temporary folder, the tests' Python, gone afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecutionClient } from "../../src/client/index.ts";
import { SERVER_DEFAULTS, startServer, type ServerHooks, type ServerSettings } from "../../src/index.ts";
import { testPython } from "../helpers/python.ts";

/** A running server and a client of it. */
export interface TestServer extends AsyncDisposable {
  url: string;
  port: number;
  apiKey: string | null;
  client: ExecutionClient;
  workDir: string;
}

/** Starts it. */
export async function startTestServer(overrides: Partial<ServerSettings> = {}, hooks: ServerHooks = {}): Promise<TestServer> {
  const workDir = await mkdtemp(join(tmpdir(), "taskweaver-e2e-"));
  const remove = (): Promise<void> => rm(workDir, { recursive: true, force: true });
  try {
    const server = await startServer(
      {
        ...SERVER_DEFAULTS,
        host: "127.0.0.1",
        port: 0,
        workDir,
        python: testPython(),
        kernelStart: "spawn",
        kernelPool: 0,
        logLevel: "silent",
        shutdownGraceMs: 0,
        ...overrides,
      },
      hooks,
    );
    return {
      url: server.url,
      port: Number(new URL(server.url).port),
      apiKey: server.apiKey,
      client: new ExecutionClient({ url: server.url, apiKey: server.apiKey ?? undefined }),
      workDir,
      async [Symbol.asyncDispose]() {
        await server.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
