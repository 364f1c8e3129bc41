/** Starting a container while one of the same name comes up. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { resolveClientSettings } from "../../../src/config.ts";
import { ContainerEngine, type EngineProcess } from "../../../src/launcher/container-engine.ts";
import { knownContainerKey, makeContainerKey } from "../../../src/launcher/container-key.ts";
import { ContainerLauncher } from "../../../src/launcher/index.ts";
import { whenDone } from "../../helpers/when-done.ts";

/** An engine that still makes the container of a client that was killed, when it is asked for another. */
class BusyEngine extends ContainerEngine {
  #isThere = false;

  override info() {
    return Promise.resolve({ memoryBytes: 0, isRootless: false });
  }

  override imageLabels() {
    return Promise.resolve({ "taskweaver.executor": "1" });
  }

  override containerState() {
    return Promise.resolve(this.#isThere ? { status: "running" } : undefined);
  }

  override start(args: string[], options: Parameters<ContainerEngine["start"]>[1]): EngineProcess {
    const engine = new ContainerEngine("sh", process.env);
    if (args[0] !== "run") return engine.start(["-c", "true"], options);
    const refused = engine.start(["-c", `echo 'docker: Error: The name is already in use by container "abc".' >&2; exit 125`], options);
    refused.once("exit", () => (this.#isThere = true));
    return refused;
  }
}

test("the container of a client that was killed meanwhile is joined with the key that it has", async () => {
  const folder = await mkdtemp(join(tmpdir(), "container-launcher-"));
  whenDone(() => rm(folder, { recursive: true }));
  const environment = { PATH: process.env["PATH"], XDG_STATE_HOME: join(folder, "state") };
  const settings = resolveClientSettings({ container: true, work_dir: join(folder, "work") }, {}, null);
  const key = await makeContainerKey(settings, environment);
  const launcher = new ContainerLauncher({ engine: new BusyEngine(), environment });
  const server = await launcher.launch({ settings, onProgress: () => undefined });
  expect(server.apiKey).toBe(key);
  expect(await knownContainerKey(settings, environment)).toBe(key);
  await server.terminate();
});
