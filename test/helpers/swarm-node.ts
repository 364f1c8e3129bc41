/** One node of a Swarm: an engine in namespaces of its own, which can be cut from the power like a machine. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const START_TIMEOUT_MS = 60_000;
const CONTROL_GROUPS = "/sys/fs/cgroup";

/** What a node is made with. */
export interface SwarmNodeOptions {
  /** Of the host and its namespace; nobody else's on this machine. */
  name: string;
  address: string;
  folder: string;
  /** Where the switch is that its cable leads to. */
  switchNamespace: string;
}

/** A node. */
export class SwarmNode {
  readonly name: string;
  readonly address: string;
  readonly #options: SwarmNodeOptions;
  #process: ChildProcess | undefined;

  constructor(options: SwarmNodeOptions) {
    this.name = options.name;
    this.address = options.address;
    this.#options = options;
  }

  get isOn(): boolean {
    const child = this.#process;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Where the engine is called, for `docker --host` and `DOCKER_HOST`. */
  get engine(): string {
    return `unix://${join(this.#options.folder, "docker.sock")}`;
  }

  /**
   * Starts the engine and waits until it answers.
   * @param prepare Fills the engine's data folder before.
   */
  async start(prepare: (dataFolder: string) => Promise<void>): Promise<void> {
    const { name, address, folder, switchNamespace } = this.#options;
    const data = join(folder, "data");
    await mkdir(data, { recursive: true });
    await prepare(data);
    const cable = `v${name.slice(-2)}`;
    await run("ip", ["netns", "add", name]);
    await run("ip", ["-n", switchNamespace, "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name]);
    await run("ip", ["-n", switchNamespace, "link", "set", cable, "master", "switch", "up"]);
    await run("ip", ["-n", name, "address", "add", `${address}/24`, "dev", "eth0"]);
    for (const device of ["lo", "eth0"]) await run("ip", ["-n", name, "link", "set", device, "up"]);
    // It ends with the test at the latest, and all of its processes with it: they are below the first of a process namespace.
    const log = createWriteStream(join(folder, "log"));
    await once(log, "open");
    const unshare = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL"];
    const args = ["--pdeathsig", "KILL", "nsenter", `--net=/run/netns/${name}`, ...unshare, "sh", "-euc", INIT, "sh", name, folder];
    this.#process = spawn("setpriv", args, { stdio: ["ignore", log, log] });
    log.close();
    await this.#answers();
  }

  /** Runs the engine's command at this node; resolves with what it wrote. */
  async docker(...args: string[]): Promise<string> {
    const { stdout } = await run("docker", ["--host", this.engine, ...args], { maxBuffer: 2 ** 24 });
    return stdout.trim();
  }

  /** The containers of a service that run here. */
  async containersOf(service: string): Promise<string[]> {
    const ids = await this.docker("ps", "--quiet", "--filter", `label=com.docker.swarm.service.name=${service}`);
    return ids === "" ? [] : ids.split("\n");
  }

  /** Gives another engine, which has not started yet, the images of this one. */
  async copyImagesTo(dataFolder: string): Promise<void> {
    const own = join(this.#options.folder, "data");
    await run("cp", ["-al", join(own, "overlay2"), dataFolder]);
    await run("cp", ["-a", join(own, "image"), dataFolder]);
  }

  /** Cuts it from the network and ends all that runs there, at once: nobody hears of it. */
  async cutPower(): Promise<void> {
    await run("ip", ["-n", this.name, "link", "set", "eth0", "down"]).catch(() => undefined);
    const child = this.#process;
    if (child === undefined || !this.isOn) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Ends it and removes what it made outside of its folder. */
  async remove(): Promise<void> {
    await this.cutPower();
    await run("ip", ["netns", "delete", this.name]).catch(() => undefined);
    const controllers = await readdir(CONTROL_GROUPS, { withFileTypes: true });
    for (const folder of [".", ...controllers.filter((each) => each.isDirectory()).map((each) => each.name)]) {
      await removeGroups(join(CONTROL_GROUPS, folder, this.name));
    }
  }

  async #answers(): Promise<void> {
    const endsAt = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      // The client itself answers 0 without an engine, but has no version of it then.
      if ((await this.docker("version", "--format", "{{.Server.Version}}").catch(() => "")) !== "") return;
      if (!this.isOn || performance.now() > endsAt) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const log = await readFile(join(this.#options.folder, "log"), "utf8");
    throw new Error(`the engine of ${this.name} does not answer:\n${log.split("\n").slice(-10).join("\n")}`);
  }
}

/**
 * The node's first process. Nobody answers for names outside: a question to no server at all is refused at once. What an engine keeps
 * in /run is the node's own.
 */
const INIT = `
hostname "$1"
echo "nameserver 127.0.0.1" >"$2/resolv.conf"
mount --bind "$2/resolv.conf" "$(readlink -f /etc/resolv.conf)"
mkdir -p /run/docker
mount -t tmpfs tmpfs /run/docker
exec dockerd --host "unix://$2/docker.sock" --data-root "$2/data" --exec-root /run/docker/exec --pidfile /run/docker/pid \\
  --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$1"
`;

/** Control groups are folders whose files cannot be removed: the innermost first, once their processes are gone. */
async function removeGroups(folder: string): Promise<void> {
  const inner = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const each of inner) if (each.isDirectory()) await removeGroups(join(folder, each.name));
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const failed = await rmdir(folder).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (failed !== "EBUSY") return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
