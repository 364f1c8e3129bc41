/** The server as a process of its own, for tests that kill it: `node dist/cli/main.js server`. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ExecutionClient } from "../../src/client/index.ts";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { testPython } from "./python.ts";

/** A server process that answers. */
export interface ServerProcess {
  process: ChildProcess;
  url: string;
  client: ExecutionClient;
  /** What it has logged. */
  words: readonly string[];
  /** Sends a signal; resolves with how the process ended. */
  end(signal: NodeJS.Signals): Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>;
}

/** Where one works, and under which umask where that is not the tests' own. */
export interface ServerPlace {
  workDir: string;
  umask: number;
}

/** Starts one and waits until it listens. */
export async function startServerProcess(place: string | ServerPlace, port: number, ...args: string[]): Promise<ServerProcess> {
  const { workDir, umask } = typeof place === "string" ? { workDir: place, umask: undefined } : place;
  const command = [join(PACKAGE_ROOT, "dist/cli/main.js"), "server", "--host", "127.0.0.1", "--port", String(port), "--work-dir", workDir];
  const program = [process.execPath, ...command, "--python", testPython(), ...args];
  const [file = "", ...rest] = umask === undefined ? program : ["sh", "-c", `umask ${umask.toString(8)}; exec "$@"`, "sh", ...program];
  const child = spawn(file, rest, { stdio: ["ignore", "pipe", "pipe"] });
  const words: string[] = [];
  const listening = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        words.push(line);
        if (line.includes('"listening"')) resolve();
      });
    }
    child.once("exit", () => reject(new Error(`the server ended: ${words.slice(-5).join("\n")}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  await listening;
  return {
    process: child,
    url,
    client: new ExecutionClient({ url }),
    words,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return { exitCode: child.exitCode, signal: child.signalCode };
      const exited = once(child, "exit");
      child.kill(signal);
      const [exitCode, ended] = (await exited) as [number | null, NodeJS.Signals | null];
      return { exitCode, signal: ended };
    },
  };
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
