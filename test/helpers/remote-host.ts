/** Another host for tests: a network namespace with an address of its own, joined to this machine by a cable. Takes root. */
import { execFile, spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "./python.ts";

const run = promisify(execFile);

/** Why there cannot be another host here; undefined where there can. */
export async function whyNoRemoteHost(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces are made by root, on Linux";
  return run("ip", ["-Version"]).then(
    () => undefined,
    () => "there is no ip command (iproute2)",
  );
}

/** A host with its own address. */
export class RemoteHost implements AsyncDisposable {
  /** Its address. */
  readonly address: string;
  /** This machine's, as it sees it. */
  readonly ownAddress: string;
  /** An address of the same network that nobody has. */
  readonly nobodysAddress: string;
  readonly #name: string;
  readonly #processes: ChildProcess[] = [];

  private constructor(name: string, network: string) {
    this.#name = name;
    this.ownAddress = `${network}.1`;
    this.address = `${network}.2`;
    this.nobodysAddress = `${network}.3`;
  }

  /** Makes it. */
  static async open(): Promise<RemoteHost> {
    // Of the block for tests of networks (RFC 2544), one network for each process.
    const host = new RemoteHost(`tw${process.pid}`, `198.18.${process.pid % 256}`);
    const name = host.#name;
    try {
      await run("ip", ["netns", "add", name]);
      await run("ip", ["link", "add", `${name}a`, "type", "veth", "peer", "name", `${name}b`, "netns", name]);
      await run("ip", ["address", "add", `${host.ownAddress}/24`, "dev", `${name}a`]);
      await run("ip", ["link", "set", `${name}a`, "up"]);
      await run("ip", ["-n", name, "address", "add", `${host.address}/24`, "dev", `${name}b`]);
      await run("ip", ["-n", name, "link", "set", `${name}b`, "up"]);
      await run("ip", ["-n", name, "link", "set", "lo", "up"]);
      return host;
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a program there; it ends with the host at the latest. */
  spawn(program: string, args: string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn("nsenter", [`--net=/run/netns/${this.#name}`, program, ...args], { stdio: ["ignore", "pipe", "pipe"], ...options });
    this.#processes.push(child);
    return child;
  }

  /** Starts our server there, and waits until it listens. */
  async startServer(environment: NodeJS.ProcessEnv, port = 8000): Promise<string> {
    const workDir = await mkdtemp(join(tmpdir(), "taskweaver-remote-"));
    const args = ["server", "--host", "0.0.0.0", "--port", String(port), "--work-dir", workDir, "--python", testPython()];
    const child = this.spawn(process.execPath, [join(PACKAGE_ROOT, "dist/cli/main.js"), ...args], {
      env: { ...process.env, ...environment },
    });
    child.once("exit", () => void rm(workDir, { recursive: true, force: true }));
    await said(child, '"listening"');
    return `http://${this.address}:${port}`;
  }

  /** From now on it says nothing, as if it had lost its power: nobody is told that a connection has ended. */
  async fallSilent(): Promise<void> {
    await run("ip", ["-n", this.#name, "address", "flush", "dev", `${this.#name}b`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        await exited;
      }),
    );
    // The cable goes with its end.
    await run("ip", ["netns", "delete", this.#name]).catch(() => undefined);
  }
}

/** Waits until a program writes a line with these words. @throws Error with its last lines where it ends before. */
export function said(child: ChildProcess, words: string): Promise<void> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (line.includes(words)) resolve();
      });
    }
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`it ended: ${lines.slice(-5).join("\n")}`)));
  });
}
