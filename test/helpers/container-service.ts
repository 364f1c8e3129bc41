/** Servers in containers for tests: launched as a client launches them, each with a work directory and a port of its own. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveClientSettings, type ClientSettings, type FlagValues } from "../../src/config.ts";
import { ContainerLauncher, ExecutionService } from "../../src/launcher/index.ts";
import { containerName } from "../../src/launcher/container-arguments.ts";
import { docker } from "./container-image.ts";

/** A launched server. */
export interface ContainerService {
  service: ExecutionService;
  settings: ClientSettings;
  /** Of the container. */
  name: string;
  /** What the client was told meanwhile. */
  progress: string[];
  /** Ends the server and removes what it left. */
  close(): Promise<void>;
}

/** Settings for a container of a test's own; `close` removes the container and the folder. */
export async function containerSettings(flags: FlagValues = {}): Promise<{ settings: ClientSettings; close: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-container-"));
  const settings = resolveClientSettings(
    { container: true, work_dir: join(folder, "workspace"), port: await freePort(), ...flags },
    {},
    null,
  );
  const close = async () => {
    await docker("rm", "--force", containerName(settings)).catch(() => undefined);
    for (const made of [folder, settings.workDir]) await rm(made, { recursive: true, force: true });
  };
  return { settings, close };
}

/** Launches a server as a client does. */
export async function openContainer(flags: FlagValues = {}, environment: NodeJS.ProcessEnv = process.env): Promise<ContainerService> {
  const { settings, close: remove } = await containerSettings(flags);
  const progress: string[] = [];
  try {
    const launcher = new ContainerLauncher({ environment, unusedGraceSeconds: 30 });
    const service = await ExecutionService.open(settings, { launcher, onProgress: (line) => progress.push(line) });
    const close = async () => {
      await service.close();
      await remove();
    };
    return { service, settings, name: containerName(settings), progress, close };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
