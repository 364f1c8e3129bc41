/** Clients, containers and the servers in them killed at every step: the next client works, and in the end nothing is left. */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { resolveClientSettings } from "../../src/config.ts";
import { containerName } from "../../src/launcher/container-arguments.ts";
import { docker, IMAGE, useContainerImage } from "../helpers/container-image.ts";
import { freePort } from "../helpers/container-service.ts";
import { startCli, type CliProcess } from "./cli-process.ts";

const SOON = { timeout: 90_000, interval: 20 };
/** A killed client's lease, and the time without use. */
const RUN_OUT = { timeout: 90_000, interval: 200 };

/** A work directory, a port and a container of one test's own. */
class Place {
  readonly folder: string;
  readonly work: string;
  readonly port: number;
  readonly container: string;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.work = join(folder, "work");
    this.port = port;
    this.container = containerName(resolveClientSettings({ container: true, work_dir: this.work, port }, {}, null));
  }

  static async make(): Promise<Place> {
    const place = new Place(await mkdtemp(join(tmpdir(), "kills-")), await freePort());
    await mkdir(place.work);
    places.push(place);
    return place;
  }

  /** A client that stays: its input stays open. */
  startClient(): CliProcess {
    return startCli(["--port", String(this.port), "--work-dir", this.work], {
      cwd: this.folder,
      env: { TASKWEAVER_SERVER_CONTAINER: "true", TASKWEAVER_SERVER_UNUSED_GRACE: "1", KILLS_TEST: this.folder },
    });
  }

  /** What is left on this machine: the container, and commands of the engine that wait for it. */
  async left(): Promise<string[]> {
    const containers = await docker("ps", "--all", "--filter", `name=${this.container}`, "--format", "{{.Names}} {{.Status}}");
    const commands: string[] = [];
    for (const entry of await readdir("/proc")) {
      const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
      if (!environment.includes(`KILLS_TEST=${this.folder}\0`)) continue;
      const command = (await readFile(`/proc/${entry}/cmdline`, "latin1").catch(() => "")).replaceAll("\0", " ");
      if (command !== "") commands.push(command);
    }
    return [...(containers === "" ? [] : containers.split("\n")), ...commands, ...(this.isLocked ? ["server.starting"] : [])];
  }

  get isLocked(): boolean {
    return existsSync(join(this.work, "server.starting"));
  }

  async status(): Promise<string> {
    return docker("container", "inspect", "--format", "{{.State.Status}}", this.container).catch(() => "none");
  }

  /** The process of the server in the container, as this machine knows it. */
  async serverProcess(): Promise<number> {
    const processes = (await docker("top", this.container, "-eo", "pid,args")).split("\n");
    return Number(
      processes
        .find((line) => line.includes("node /app/dist/cli/main.js"))
        ?.trim()
        .split(/\s+/)[0],
    );
  }

  async clean(): Promise<void> {
    await docker("rm", "--force", this.container).catch(() => undefined);
    await rm(this.folder, { recursive: true, force: true });
  }
}

const places: Place[] = [];
afterAll(async () => {
  for (const place of places) await place.clean();
});

describe("with a server in a container", () => {
  useContainerImage();

  test("a client that is killed while the engine makes the container keeps nobody from working", async () => {
    const place = await Place.make();
    const victim = place.startClient();
    await expect.poll(() => victim.stderr, SOON).toContain("Starting the server in a container");
    victim.kill("SIGKILL");
    await victim.exited;
    await expectNextWorks(place);
  });

  test("a start that was broken off between the container's making and its start keeps nobody from working", async () => {
    const place = await Place.make();
    await docker("create", "--name", place.container, IMAGE, "server");
    expect(await place.status()).toBe("created");
    await expectNextWorks(place);
  });

  test("a server that is killed in its container when it runs code keeps nobody from working", async () => {
    const place = await Place.make();
    const client = place.startClient();
    client.write("import time; print('on', flush=True); time.sleep(60)\n");
    await client.saw(/^on\n/m);
    process.kill(await place.serverProcess(), "SIGKILL");
    await endsInPeace(client);
    await expectNextWorks(place);
  });

  test("nothing is left of any of them, once leases have run out", async () => {
    for (const place of places) await expect.poll(() => place.left(), RUN_OUT).toEqual([]);
  });
});

/** It has said what happened, or found or started another server; in any case it can be left. */
async function endsInPeace(client: CliProcess): Promise<void> {
  client.end();
  expect([0, 1, 2]).toContain(await client.exited);
  expect(client.stdout.match(/^on$/gm)?.length ?? 0).toBeLessThanOrEqual(1);
}

async function expectNextWorks(place: Place): Promise<void> {
  const next = place.startClient();
  next.write("6 * 7\n");
  await next.saw(/Out\[1\]: 42\n/);
  expect(place.isLocked).toBe(false);
  next.end();
  expect(await next.exited).toBe(0);
}
