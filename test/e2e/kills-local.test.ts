/** Clients and servers killed at every step of starting and running: a server that answers is left, or nothing, and the next client works. */
import { createServer, type Server } from "node:http";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync, readdirSync } from "node:fs";
import { execFile } from "node:child_process";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { ExecutionClient } from "../../src/client/index.ts";
import { freePort } from "../helpers/container-service.ts";
import { startCli, type CliProcess } from "./cli-process.ts";

const run = promisify(execFile);

const SOON = { timeout: 60_000, interval: 5 };
/** A killed client's lease, the time without use, the time of a kernel without its server. */
const RUN_OUT = { timeout: 90_000, interval: 200 };

/** A folder, a port and processes of one test's own. */
class Place {
  readonly folder: string;
  readonly work: string;
  readonly port: number;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.work = join(folder, "work");
    this.port = port;
  }

  static async make(): Promise<Place> {
    const place = new Place(await mkdtemp(join(tmpdir(), "kills-")), await freePort());
    await mkdir(join(place.folder, "run"), { mode: 0o700 });
    places.push(place);
    return place;
  }

  /** A client that stays: its input stays open. */
  startClient(): CliProcess {
    return startCli(["--port", String(this.port), "--work-dir", this.work], {
      cwd: this.folder,
      env: {
        XDG_RUNTIME_DIR: join(this.folder, "run"),
        TASKWEAVER_SERVER_UNUSED_GRACE: "1",
        TASKWEAVER_SERVER_ORPHAN_TIMEOUT: "3",
        // What all its descendants are known by.
        KILLS_TEST: this.folder,
      },
    });
  }

  /** Its processes, with their command lines. */
  async processes(): Promise<Map<number, string>> {
    const found = new Map<number, string>();
    for (const entry of await readdir("/proc")) {
      if (!/^\d+$/.test(entry)) continue;
      const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
      if (!`\0${environment}`.includes(`\0KILLS_TEST=${this.folder}\0`)) continue;
      // A zombie has no command line: it is its parent's to take in.
      const command = (await readFile(`/proc/${entry}/cmdline`, "latin1").catch(() => "")).replaceAll("\0", " ").trim();
      if (command !== "") found.set(Number(entry), command);
    }
    return found;
  }

  async servers(): Promise<number[]> {
    const processes = await this.processes();
    return [...processes].filter(([, command]) => command.includes("main.js server ")).map(([pid]) => pid);
  }

  /** What hurts the next start, or is left of kernels: locks, claims, sockets. */
  leftovers(): string[] {
    const inWork = existsSync(this.work) ? readdirSync(this.work).filter((name) => /^server\.(starting|json|sock)/.test(name)) : [];
    const runtime = join(this.folder, "run/taskweaver");
    return [...inWork, ...(existsSync(runtime) ? readdirSync(runtime) : [])];
  }

  async clean(): Promise<void> {
    for (const pid of (await this.processes()).keys()) kill(pid);
    await rm(this.folder, { recursive: true, force: true });
  }
}

const places: Place[] = [];
afterAll(async () => {
  for (const place of places) await place.clean();
});

/** A step, and how it is known to be reached; the step is held where something could go on meanwhile. */
interface Step {
  code?: string;
  reached(place: Place, client: CliProcess): Promise<unknown>;
}

const STEPS: Record<string, Step> = {
  "it has the lock": { reached: ({ work }) => poll(() => existsSync(join(work, "server.starting"))) },
  "the server runs and does not listen yet": {
    reached: async (place) => {
      await poll(async () => (await place.servers()).length > 0);
      for (const pid of await place.servers()) process.kill(pid, "SIGSTOP");
    },
  },
  "the server listens": { reached: ({ port }) => poll(() => isAnswering(port)) },
  "its session is being made": { reached: ({ work }) => poll(() => sessionsOf(work) > 0) },
  "its code runs": {
    code: "import time; print('on', flush=True); time.sleep(5); print('off')\n",
    reached: (_place, client) => client.saw(/^on\n/m),
  },
};

describe("a client that is killed when", () => {
  test.each(Object.entries(STEPS))("%s keeps nobody from working", async (_when, step) => {
    const place = await Place.make();
    const victim = place.startClient();
    if (step.code !== undefined) victim.write(step.code);
    await step.reached(place, victim);
    victim.kill("SIGKILL");
    await victim.exited;
    for (const pid of await place.servers()) process.kill(pid, "SIGCONT");
    // Of two that race for the port one ends, however late it comes to that.
    await expectNextWorks(place, () => poll(async () => (await place.servers()).length === 1));
  });
});

describe("a server that is killed when", () => {
  const steps = Object.entries(STEPS).filter(([when]) => !when.includes("lock"));
  test.each(steps)("%s keeps nobody from working", async (_when, step) => {
    const place = await Place.make();
    const client = place.startClient();
    if (step.code !== undefined) client.write(step.code);
    await step.reached(place, client);
    for (const pid of await place.servers()) kill(pid);
    if (step.code !== undefined) {
      // Its client starts another, which takes the kernel back where that still lives: in no case the code runs twice.
      await client.saw(/^off\n|did not live to see it/m);
      expect(client.stdout.match(/^on$/gm)).toHaveLength(1);
    }
    client.end();
    // It says so, or has found or started another; in any case it ends.
    expect([0, 1, 2]).toContain(await client.exited);
    await expectNextWorks(place);
  });

  test("the Python environment is being made takes pip with it, and what is half made is made anew", async () => {
    const place = await Place.make();
    await using index = await silentPackageIndex();
    const bare = join(place.folder, "bare");
    await run("/usr/bin/python3", ["-m", "venv", "--without-pip", bare]);
    // Node is found beside it, and no Python with ipykernel.
    await symlink(process.execPath, join(bare, "bin/node"));
    const env = {
      PATH: join(bare, "bin"),
      TASKWEAVER_PYTHON: "",
      XDG_CACHE_HOME: join(place.folder, "cache"),
      XDG_RUNTIME_DIR: join(place.folder, "run"),
      PIP_INDEX_URL: index.url,
      PIP_RETRIES: "0",
      PIP_CONFIG_FILE: "/dev/null",
      KILLS_TEST: place.folder,
    };
    const start = () => startCli(["server", "--port", String(place.port), "--work-dir", place.work], { cwd: place.folder, env });

    const first = start();
    await index.asked(1);
    const [folder] = await environmentsIn(env.XDG_CACHE_HOME);
    await writeFile(join(folder!, "half-made"), "");
    first.kill("SIGKILL");
    await first.exited;
    await poll(async () => (await place.processes()).size === 0);

    const second = start();
    await index.asked(2);
    expect(existsSync(join(folder!, "half-made"))).toBe(false);
    expect(second.stderr).toContain("making an environment for the kernels, once, in");
    second.kill("SIGINT");
    await second.exited;
    await poll(async () => (await place.processes()).size === 0);
  });
});

test("nothing is left of any of them, once leases and orphan time have run out", async () => {
  for (const place of places) {
    await expect.poll(async () => [...(await place.processes()).values()], RUN_OUT).toEqual([]);
    expect(place.leftovers()).toEqual([]);
  }
});

/** @param meanwhile What holds while the next client is there. */
async function expectNextWorks(place: Place, meanwhile?: () => Promise<void>): Promise<void> {
  const next = place.startClient();
  next.write("6 * 7\n");
  await next.saw(/Out\[1\]: 42\n/);
  expect(existsSync(join(place.work, "server.starting"))).toBe(false);
  await meanwhile?.();
  next.end();
  expect(await next.exited).toBe(0);
}

async function poll(isSo: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(async () => isSo(), SOON).toBe(true);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

async function isAnswering(port: number): Promise<boolean> {
  return new ExecutionClient({ url: `http://localhost:${port}`, retries: 0, timeoutMs: 2_000 }).health().then(
    () => true,
    () => false,
  );
}

function sessionsOf(work: string): number {
  const folder = join(work, "sessions");
  return existsSync(folder) ? readdirSync(folder).length : 0;
}

async function environmentsIn(cache: string): Promise<string[]> {
  const folder = join(cache, "taskweaver");
  return (await readdir(folder)).filter((name) => /^python-[\d.]+-[0-9a-f]+$/.test(name)).map((name) => join(folder, name));
}

/** A package index that takes requests and answers none. */
async function silentPackageIndex(): Promise<{ url: string; asked: (count: number) => Promise<void> } & AsyncDisposable> {
  let count = 0;
  const server: Server = createServer(() => void (count += 1)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/simple`,
    asked: (wanted) => poll(() => count >= wanted),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
