/** What all parts of the benchmark share: options, Python, environment, and the ownership of everything that is started. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pidsWithMarker } from "./process-figures.ts";

/** The repository's root. */
export const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Kept from run to run: caches of Python packages, profiles. Not in git. */
export const BENCH_CACHE = join(ROOT, ".cache/bench");

/** How the benchmark was called. */
export interface BenchOptions {
  /** About a minute with fewer samples. */
  isQuick: boolean;
  /** Whether servers write a CPU profile when they end. */
  isProfiled: boolean;
  /** Interpreter of the benchmark's virtual environment: kernels and peers run on it. */
  python: string;
}

/** Something that was started. */
export interface Closable {
  close(): Promise<void>;
}

/** One run of the benchmark. */
export class Bench {
  readonly options: BenchOptions;
  /** A temporary folder, removed at the end. */
  readonly folder: string;
  /** What every process of this run is started with. */
  readonly environment: NodeJS.ProcessEnv;
  readonly #marker: string;
  readonly #owned = new Set<Closable>();
  #closing: Promise<number[]> | undefined;

  static async open(options: BenchOptions): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), "bench-"));
    const bench = new Bench(options, folder);
    // The runtime folder holds sockets, whose paths must be short; it must be there, and private, to be taken.
    await mkdir(join(folder, "run"), { mode: 0o700 });
    await mkdir(BENCH_CACHE, { recursive: true });
    return bench;
  }

  private constructor(options: BenchOptions, folder: string) {
    this.options = options;
    this.folder = folder;
    this.#marker = `BENCH_RUN=${randomUUID()}`;
    this.environment = benchEnvironment(options.python, folder, this.#marker);
  }

  /** The number of samples: the first for a full run, the second for a quick one. */
  count(full: number, quick: number): number {
    return this.options.isQuick ? quick : full;
  }

  /** Whether the run was broken off, or is through. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  progress(line: string): void {
    if (!this.isClosing) process.stderr.write(`  ${line}\n`);
  }

  /** Runs a body with something started, which is ended after it, or when the run is broken off. */
  async using<T extends Closable, R>(opening: Promise<T>, body: (resource: T) => Promise<R>): Promise<R> {
    const resource = await opening;
    this.#owned.add(resource);
    try {
      if (this.isClosing) throw new Error("The benchmark is ending.");
      return await body(resource);
    } finally {
      this.#owned.delete(resource);
      await resource.close();
    }
  }

  /** The processes of this run that live, wherever they have moved in the tree: kernels, fork server, peers. */
  pids(): Promise<number[]> {
    return pidsWithMarker(this.#marker);
  }

  /** Ends what is left. Resolves with the processes that should have been gone; they are now. */
  close(): Promise<number[]> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<number[]> {
    for (const resource of [...this.#owned].toReversed()) await resource.close().catch(() => undefined);
    const left = await this.pids();
    for (const pid of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone meanwhile.
      }
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
    return left;
  }
}

/** The caller's environment without what would measure something else than the defaults, and nothing written outside of our folders. */
function benchEnvironment(python: string, folder: string, marker: string): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const name of Object.keys(environment)) {
    if (/^(TASKWEAVER_|JUPYTER_|JPY_|PLUGIN_|KG_|PYTHON|VIRTUAL_ENV$|NODE_OPTIONS$)/.test(name)) delete environment[name];
  }
  const [name, value] = marker.split("=");
  return {
    ...environment,
    [name ?? ""]: value,
    PATH: `${dirname(python)}:${process.env["PATH"] ?? ""}`,
    MPLCONFIGDIR: join(BENCH_CACHE, "matplotlib"),
    IPYTHONDIR: join(folder, "ipython"),
    JUPYTER_CONFIG_DIR: join(folder, "jupyter"),
    JUPYTER_DATA_DIR: join(folder, "jupyter"),
    JUPYTER_RUNTIME_DIR: join(folder, "jupyter/runtime"),
    XDG_CACHE_HOME: join(folder, "cache"),
    XDG_RUNTIME_DIR: join(folder, "run"),
  };
}
