/** The arguments of `docker run` for a server that a client starts: its walls, its limits, its one folder and its one way in. */
import { createHash } from "node:crypto";
import { isAbsolute, relative } from "node:path";
import { isLoopbackHost, type ClientSettings, type ContainerSettings } from "../config.ts";
import { UsageError } from "../errors.ts";

/** What is mounted, as the container knows it. */
export const WORK_DIRECTORY = "/app/workspace";

/** The label of containers that clients started; its value is their work directory. */
export const CONTAINER_LABEL = "taskweaver.work-directory";

/** The label that tells the container of one start from that of another, which has the same name. */
export const START_LABEL = "taskweaver.start";

/** From the signal to end until the engine kills: longer than the server's own drain. */
export const STOP_GRACE_SECONDS = 20;

const PORT_INSIDE = 8000;
const DEFAULT_FOLDER_BYTES = 1024 ** 3;

/** What decides the arguments. */
export interface ContainerRequest {
  settings: ClientSettings;
  container: ContainerSettings;
  /** Of this start alone. */
  startId: string;
  /** A local image. */
  image: string;
  /** `UID:GID`. */
  user: string;
  limits: MemoryLimits;
  /** Names of variables whose values the engine's command takes from its own environment: arguments are for all users to see. */
  variables: string[];
  /** How long the server stays when nobody uses it; its own setting by default. */
  unusedGraceSeconds: number | undefined;
}

/** What the container may use of memory, as the engine writes it. */
export interface MemoryLimits {
  /** Of all processes, and of what lies in folders that are in memory; `0`: no limit. */
  memory: string;
  /** Of each folder that is in memory. */
  folderBytes: number;
}

/** The share of the machine's memory that a container may use where no limit is set. */
const MEMORY_SHARE = 0.75;

/** No process that could be killed holds what lies there, so together they have to leave room for the server. */
const FOLDER_SHARE = 0.25;

/**
 * The limits of a container.
 * @param memory As the user wrote it; null: by the machine's.
 * @param machineBytes The machine's memory; 0 where that is not known.
 */
export function memoryLimits(memory: string | null, machineBytes: number): MemoryLimits {
  const limit = memory ?? (machineBytes > 0 ? `${Math.floor(machineBytes * MEMORY_SHARE)}b` : "0");
  const bytes = bytesOf(limit) || machineBytes || DEFAULT_FOLDER_BYTES / FOLDER_SHARE;
  return { memory: limit, folderBytes: Math.floor(bytes * FOLDER_SHARE) };
}

/** What the engine will make of a size; 0 for what it will refuse. */
function bytesOf(size: string): number {
  const [, number, unit = "b"] = /^(\d+(?:\.\d+)?) ?([bkmgt])?b?$/i.exec(size.trim()) ?? [];
  return number === undefined ? 0 : Number(number) * 1024 ** "bkmgt".indexOf(unit.toLowerCase());
}

/** The name of the container of a work directory and an address: the engine lets only one of a name be. */
export function containerName({ workDir, socketPath, port }: ClientSettings): string {
  const hash = createHash("sha256").update(workDir).digest("hex").slice(0, 12);
  return `taskweaver-executor-${socketPath === null ? port : "socket"}-${hash}`;
}

/** The arguments, `run` first. @throws UsageError for a socket that the container could not share. */
export function runArguments(request: ContainerRequest): string[] {
  const { settings, container, limits } = request;
  return [
    ["run", "--rm", "--name", containerName(settings), "--label", `${CONTAINER_LABEL}=${settings.workDir}`],
    ["--label", `${START_LABEL}=${request.startId}`],
    // The command is killed once the server answers; the container goes on.
    ["--sig-proxy=false", "--pull", "never", "--no-healthcheck"],
    ["--user", request.user, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
    ["--read-only", "--tmpfs", `/tmp:rw,exec,nosuid,nodev,mode=1777,size=${limits.folderBytes}`, "--shm-size", `${limits.folderBytes}b`],
    ["--mount", mount(settings.workDir)],
    ["--pids-limit", String(container.processes)],
    // The same for both: no swap, by which a limit would otherwise be doubled.
    ["--memory", limits.memory, "--memory-swap", limits.memory],
    container.cpus === null ? [] : ["--cpus", String(container.cpus)],
    container.gpus === null ? [] : ["--gpus", container.gpus],
    network(settings, container),
    ["--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=2"],
    ["--stop-timeout", String(STOP_GRACE_SECONDS)],
    request.variables.flatMap((name) => ["--env", name]),
    // Meant so; the entrypoint would otherwise look for a lesser user to become.
    request.user === "0:0" ? ["--env", "TASKWEAVER_ENTRYPOINT_USER=0:0"] : [],
    [request.image, "server", "--exit-when-unused"],
    request.unusedGraceSeconds === undefined ? [] : ["--unused-grace", String(request.unusedGraceSeconds)],
    settings.socketPath === null ? [] : ["--socket", socketInside(settings.socketPath, settings.workDir)],
  ].flat();
}

/** The engine reads a mount as a line of CSV. */
function mount(workDir: string): string {
  const source = `source=${workDir}`;
  return `type=bind,${/[",]/.test(source) ? `"${source.replaceAll('"', '""')}"` : source},target=${WORK_DIRECTORY}`;
}

function network({ url, port, socketPath }: ClientSettings, container: ContainerSettings): string[] {
  if (container.network === "none") return ["--network", "none"];
  if (socketPath !== null) return [];
  const { hostname } = new URL(url);
  if (!isLoopbackHost(hostname)) {
    throw new UsageError(
      `A container that is started by the client is for this machine only, and ${hostname} is not its loopback: leave out execution.server.host, or start a server for others by hand (docs/container.md).`,
    );
  }
  const address = /^(127\.|\[::1\])/.test(hostname) ? hostname : "127.0.0.1";
  return ["--publish", `${address}:${port}:${PORT_INSIDE}`];
}

function socketInside(socketPath: string, workDir: string): string {
  const path = relative(workDir, socketPath);
  if (path === "" || path.startsWith("..") || isAbsolute(path)) {
    throw new UsageError(
      `execution.server.socket (${socketPath}) must lie in the work directory ${workDir}, the one folder that the container shares.`,
    );
  }
  return `${WORK_DIRECTORY}/${path}`;
}
