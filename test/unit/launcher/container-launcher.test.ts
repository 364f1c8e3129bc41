/** Starting a container while one of the same name comes up. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { resolveClientSettings } from "../../../src/config.ts";
import { START_LABEL } from "../../../src/launcher/container-arguments.ts";
import { ContainerEngine, type ContainerState, type EngineProcess } from "../../../src/launcher/container-engine.ts";
import { knownContainerKey, makeContainerKey } from "../../../src/launcher/container-key.ts";
import { ContainerServer } from "../../../src/launcher/container-server.ts";
import { ContainerLauncher } from "../../../src/launcher/index.ts";
import { whenDone } from "../../helpers/when-done.ts";

/** An engine that has the name for another container, in some state, once it is asked for one. */
class BusyEngine extends ContainerEngine {
  runs = 0;
  readonly ended: string[] = [];
  #state: ContainerState | undefined;
  readonly #othersStatus: string;

  constructor(othersStatus: string) {
    super();
    this.#othersStatus = othersStatus;
  }

  override info() {
    return Promise.resolve({ memoryBytes: 0, isRootless: false });
  }

  override imageLabels() {
    return Promise.resolve({ "taskweaver.executor": "1" });
  }

  override containerState() {
    return Promise.resolve(this.#state);
  }

  override remove(id: string) {
    this.ended.push(id);
    this.#state = undefined;
    return Promise.resolve();
  }

  override stop(id: string) {
    this.ended.push(id);
    return Promise.resolve();
  }

  override start(args: string[], options: Parameters<ContainerEngine["start"]>[1]): EngineProcess {
    const engine = new ContainerEngine("sh", process.env);
    if (args[0] !== "run") return engine.start(["-c", "true"], options);
    this.runs += 1;
    if (this.runs > 1) {
      this.#state = {
        id: "own",
        status: "running",
        startId: args.find((arg) => arg.startsWith(START_LABEL))!.slice(START_LABEL.length + 1),
      };
      return engine.start(["-c", "exec sleep 60"], options);
    }
    this.#state = { id: "another", status: this.#othersStatus, startId: "of another client" };
    // The engine's command hangs: who starts it is to give up.
    if (this.#othersStatus === "paused") return engine.start(["-c", "exec sleep 60"], options);
    return engine.start(["-c", `echo 'docker: Error: The name is already in use by container "abc".' >&2; exit 125`], options);
  }
}

async function place() {
  const folder = await mkdtemp(join(tmpdir(), "container-launcher-"));
  whenDone(() => rm(folder, { recursive: true }));
  const environment = { PATH: process.env["PATH"], XDG_STATE_HOME: join(folder, "state") };
  const settings = resolveClientSettings({ container: true, work_dir: join(folder, "work") }, {}, null);
  return { environment, settings };
}

test("the container of a client that was killed meanwhile is joined with the key that it has", async () => {
  const { environment, settings } = await place();
  const key = await makeContainerKey(settings, environment);
  const launcher = new ContainerLauncher({ engine: new BusyEngine("running"), environment });
  const server = await launcher.launch({ settings, onProgress: () => undefined });
  expect(server.apiKey).toBe(key);
  expect(await knownContainerKey(settings, environment)).toBe(key);
  await server.terminate();
});

test("a container that a killed client made and did not start gives way to one that is started", async () => {
  const { environment, settings } = await place();
  const engine = new BusyEngine("created");
  const server = await new ContainerLauncher({ engine, environment }).launch({ settings, onProgress: () => undefined });
  whenDone(() => server.terminate());
  expect(engine.runs).toBe(2);
  expect(server.apiKey).toBe(await knownContainerKey(settings, environment));
});

test("a start that is given up ends no container but its own", async () => {
  const { environment, settings } = await place();
  const engine = new BusyEngine("paused");
  const controller = new AbortController();
  const launching = new ContainerLauncher({ engine, environment }).launch({
    settings,
    onProgress: () => undefined,
    signal: controller.signal,
  });
  await vi.waitFor(() => expect(engine.runs).toBe(1));
  controller.abort();
  await expect(launching).rejects.toThrow(/abort/);
  expect(engine.ended).toEqual([]);
});

test("a start that is given up ends its own container by the engine's name for it", async () => {
  const { environment, settings } = await place();
  const engine = new BusyEngine("created");
  const server = await new ContainerLauncher({ engine, environment }).launch({ settings, onProgress: () => undefined });
  engine.ended.splice(0);
  await server.terminate();
  expect(engine.ended).toEqual(["own", "own"]);
});

test("the engine's command keeps the program running until it has ended, where that is waited for", async () => {
  const { settings } = await place();
  const command = new ContainerEngine("sh").start(["-c", "exec sleep 60"]);
  const letGo = vi.spyOn(command, "unref");
  const server = new ContainerServer({
    engine: new BusyEngine("none"),
    name: "any",
    process: command,
    settings,
    apiKey: null,
    startId: "own",
  });
  await server.terminate();
  expect(command.signalCode).toBe("SIGKILL");
  expect(letGo).not.toHaveBeenCalled();
});
