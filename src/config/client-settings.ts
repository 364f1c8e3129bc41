/** What the client is told: where the server is, and whether and how one may be started. */
import { join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import type { ConfigFile } from "./file.ts";
import { layerSettings, type Environment, type FlagValues, type LayeredSettings } from "./layers.ts";
import { absolutePython } from "./server-settings.ts";
import type { Settings } from "./settings.ts";

/** How a server in a container is run. */
export interface ContainerSettings {
  image: string;
  /** `none`: no network at all; the client speaks over a Unix socket. */
  network: Settings["container_network"];
  /** As the engine writes it, e.g. `4g`; null: a share of the machine's. */
  memory: string | null;
  /** null: all. */
  cpus: number | null;
  /** Processes and threads. */
  processes: number;
  /** As the engine names them; null: none. */
  gpus: string | null;
}

/** All settings of a client. */
export interface ClientSettings {
  url: string;
  /** Whether `url`, or the host and port it is made from, was given by anyone. */
  isUrlGiven: boolean;
  /** A Unix socket to speak over; `url` then only names the server. */
  socketPath: string | null;
  apiKey: string | null;
  /** Whether a server may be started: wanted, and the URL is this machine's. */
  mayStart: boolean;
  /** null: as a process. */
  container: ContainerSettings | null;
  /** What a server that is started binds to. */
  host: string;
  port: number;
  /** Absolute path; the work directory of a server that is started. */
  workDir: string;
  /** Interpreter of a server that is started; null: found, or made. */
  python: string | null;
  /** How long a call waits. */
  timeoutMs: number;
  /** Whether anyone asked for that timeout; without, a console waits as long as code runs. */
  isTimeoutGiven: boolean;
  /** The project's folder, where there is one; a server that is started reads the same file. */
  projectDirectory: string | null;
}

/**
 * Resolves the client's settings: flags over environment over file over defaults.
 * @throws UsageError where a value does not fit, or `url` contradicts `host` and `port`.
 */
export function resolveClientSettings(
  flags: FlagValues = {},
  env: Environment = process.env,
  file: ConfigFile | null = null,
): ClientSettings {
  const layers = layerSettings(flags, env, file);
  const { values, origins } = layers;
  const url = resolveUrl(layers);
  const isFromFile = (name: keyof Settings) => origins[name].rank <= 1;
  const base = (name: keyof Settings) => (isFromFile(name) ? (file?.directory ?? ".") : ".");
  const workDir = resolve(base("work_dir"), values.work_dir);
  return {
    url: url.text,
    isUrlGiven: origins.url.rank > 0 || origins.host.rank > 0 || origins.port.rank > 0,
    socketPath: values.socket === "" ? socketOfContainer(values, workDir) : resolve(base("socket"), values.socket),
    apiKey: values.api_key === "" ? null : values.api_key,
    mayStart: values.auto_start && url.isStartable,
    container: values.container ? containerSettings(values) : null,
    host: url.host,
    port: url.port,
    workDir,
    python: absolutePython(values.python, base("python")),
    timeoutMs: values.timeout * 1000,
    isTimeoutGiven: origins.timeout.rank > 0,
    projectDirectory: file?.directory ?? null,
  };
}

/** Whether a host name is this machine's loopback. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

interface ResolvedUrl {
  text: string;
  host: string;
  port: number;
  isStartable: boolean;
}

function resolveUrl({ values, origins }: LayeredSettings): ResolvedUrl {
  const { host, port } = values;
  if (origins.url.rank === 0) {
    if (port === 0 && values.socket === "") throw new UsageError(`${origins.port.label} is 0, any free port: a client has to know it.`);
    // Who calls a server by the file that it reads as well calls it as it serves.
    const scheme = values.tls_certificate === "" ? "http" : "https";
    return { text: `${scheme}://${authority(reachableHost(host))}:${port}`, host, port, isStartable: scheme === "http" };
  }
  const url = parseUrl(values.url, origins.url.label);
  const urlPort = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  // A stronger layer's URL replaces a weaker layer's host and port; they contradict only where they are meant to hold with it.
  const isBinding = (name: "host" | "port") => origins[name].rank >= origins.url.rank;
  if (isBinding("port") && port !== urlPort) throw contradiction(`${origins.port.label} (${port})`, values.url, origins.url.label);
  if (isBinding("host") && !isSameHost(host, url.hostname))
    throw contradiction(`${origins.host.label} (${host})`, values.url, origins.url.label);
  const isLocal = url.protocol === "http:" && isLoopbackHost(url.hostname) && url.pathname === "/";
  return {
    text: values.url.replace(/\/+$/, ""),
    host: isBinding("host") ? host : url.hostname.replace(/^\[|\]$/g, ""),
    port: urlPort,
    isStartable: isLocal,
  };
}

function parseUrl(text: string, label: string): URL {
  const url = parseOrNull(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new UsageError(`${label} must be an http or https URL like http://localhost:8000, not ${JSON.stringify(text)}.`);
  }
  return url;
}

function parseOrNull(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function contradiction(other: string, url: string, urlLabel: string): UsageError {
  return new UsageError(`${urlLabel} (${url}) contradicts ${other}: leave one of them out.`);
}

/** A server that binds to every address answers on any; all loopback names mean this machine. */
function isSameHost(bindHost: string, urlHost: string): boolean {
  const plain = urlHost.toLowerCase().replace(/^\[|\]$/g, "");
  return bindHost.toLowerCase() === plain || isWildcard(bindHost) || (isLoopbackHost(bindHost) && isLoopbackHost(plain));
}

function reachableHost(bindHost: string): string {
  return isWildcard(bindHost) ? "localhost" : bindHost;
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::" || host === "";
}

function authority(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

/** Without a network the one way in is a socket in the folder that the container shares. */
function socketOfContainer(values: Settings, workDir: string): string | null {
  return values.container && values.container_network === "none" ? join(workDir, "server.sock") : null;
}

function containerSettings(values: Settings): ContainerSettings {
  return {
    image: values.container_image,
    network: values.container_network,
    memory: values.container_memory === "" ? null : values.container_memory,
    cpus: values.container_cpus === 0 ? null : values.container_cpus,
    processes: values.container_processes,
    gpus: values.container_gpus === "" ? null : values.container_gpus,
  };
}
