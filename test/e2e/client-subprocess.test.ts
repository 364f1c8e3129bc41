/** The client's promises on a server in a process of its own, as a client starts it: on a port, and on a Unix socket. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { resolveClientSettings, type FlagValues } from "../../src/config.ts";
import { SubprocessLauncher, ExecutionService, unixFetch, type LaunchedServer } from "../../src/launcher/index.ts";
import { freePort } from "../helpers/container-service.ts";
import { testPython } from "../helpers/python.ts";
import { clientSuite, type ServerFixture } from "./client-suite.ts";

describe("a server as a process, on a port", () => {
  clientSuite(async () => launch({ port: await freePort() }));
});

describe("a server as a process, on a port, with a key", () => {
  clientSuite(async () => launch({ port: await freePort(), api_key: "the-key" }, { TASKWEAVER_SERVER_REQUIRE_KEY: "true" }));
});

describe("a server as a process, on a Unix socket", () => {
  clientSuite(() => launch({}));
});

/** Launches one as a client does; without a port on a socket in its folder. */
async function launch(flags: FlagValues, env: Record<string, string> = {}): Promise<ServerFixture> {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-client-"));
  const socketPath = flags.port === undefined ? join(folder, "http") : undefined;
  const settings = resolveClientSettings({ work_dir: folder, python: testPython(), socket: socketPath, ...flags }, {}, null);
  const subprocess = new SubprocessLauncher({ environment: { ...process.env, ...env }, unusedGraceSeconds: 5 });
  let launched: LaunchedServer | undefined;
  const launcher = { launch: async (...request: Parameters<typeof subprocess.launch>) => (launched = await subprocess.launch(...request)) };
  const service = await ExecutionService.open(settings, { launcher });
  return {
    url: settings.url,
    apiKey: settings.apiKey,
    ...(socketPath === undefined ? {} : { socketPath, fetch: unixFetch(socketPath) }),
    async [Symbol.asyncDispose]() {
      await service.close();
      await launched?.terminate();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
