/** A Docker Swarm on this machine: nodes with an engine each, in namespaces of their own, on a network that leads nowhere else. Takes root. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { missingForContainers } from "./container-image.ts";
import { whyNoRemoteHost } from "./remote-host.ts";
import { SwarmNode } from "./swarm-node.ts";

const run = promisify(execFile);

/** Why there cannot be a Swarm here; undefined where there can. */
export async function whyNoSwarm(): Promise<string | undefined> {
  return missingForContainers ?? (await whyNoRemoteHost());
}

/** The nodes; the first is the manager. */
export class Swarm implements AsyncDisposable {
  readonly nodes: SwarmNode[] = [];
  readonly #name: string;
  readonly #network: string;
  readonly #folder: string;

  private constructor(folder: string) {
    // Of the block for tests of networks (RFC 2544), one network for each process; other tests use its lower half.
    this.#name = `tws${process.pid}`;
    this.#network = `198.19.${process.pid % 256}`;
    this.#folder = folder;
  }

  /** Makes a Swarm of so many nodes that all have an image of this machine's engine. */
  static async open(count: number, image: string): Promise<Swarm> {
    const swarm = new Swarm(await mkdtemp(join(tmpdir(), "taskweaver-swarm-")));
    try {
      await swarm.#layCables();
      const manager = await swarm.#startNode(1);
      await run("sh", ["-euc", 'docker save "$1" | docker --host "$2" load', "sh", image, manager.engine], { maxBuffer: 2 ** 24 });
      // Layers are never written to: the other nodes get them as links, in a second or two.
      const others = await Promise.all(
        Array.from({ length: count - 1 }, async (_, index) => swarm.#startNode(index + 2, (data) => manager.copyImagesTo(data))),
      );
      await manager.docker("swarm", "init", "--advertise-addr", manager.address, "--task-history-limit", "1");
      const token = await manager.docker("swarm", "join-token", "--quiet", "worker");
      await Promise.all(others.map((node) => node.docker("swarm", "join", "--token", token, `${manager.address}:2377`)));
      return swarm;
    } catch (error) {
      await swarm[Symbol.asyncDispose]();
      throw error;
    }
  }

  get manager(): SwarmNode {
    const [manager] = this.nodes;
    if (manager === undefined) throw new Error("this Swarm has no nodes");
    return manager;
  }

  /** The nodes whose power is on. */
  get live(): SwarmNode[] {
    return this.nodes.filter((node) => node.isOn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.remove()));
    await run("ip", ["netns", "delete", this.#switch]).catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Its own namespace keeps the switch from the rules of this machine's firewall. */
  get #switch(): string {
    return `${this.#name}s`;
  }

  async #layCables(): Promise<void> {
    const link = (...args: string[]) => run("ip", ["-n", this.#switch, "link", ...args]);
    await run("ip", ["netns", "add", this.#switch]);
    await link("add", "switch", "type", "bridge");
    await link("set", "switch", "up");
    await run("ip", ["link", "add", `${this.#name}h`, "type", "veth", "peer", "name", "host", "netns", this.#switch]);
    await run("ip", ["address", "add", `${this.#network}.1/24`, "dev", `${this.#name}h`]);
    await run("ip", ["link", "set", `${this.#name}h`, "up"]);
    await link("set", "host", "master", "switch", "up");
  }

  async #startNode(index: number, prepare: (dataFolder: string) => Promise<void> = async () => undefined): Promise<SwarmNode> {
    const node = new SwarmNode({
      name: `${this.#name}n${index}`,
      address: `${this.#network}.${index + 10}`,
      folder: join(this.#folder, `node-${index}`),
      switchNamespace: this.#switch,
    });
    this.nodes[index - 1] = node;
    await node.start(prepare);
    return node;
  }
}
