/** What the server is told: all of its settings, resolved, in code's units. */
import { resolve } from "node:path";
import { UsageError } from "../errors.ts";
import type { ConfigFile } from "./file.ts";
import { layerSettings, type Environment, type FlagValues } from "./layers.ts";
import { bytesOf } from "./size.ts";
import type { SettingName, Settings } from "./settings.ts";

/** A certificate and its private key, both in PEM. */
export interface TlsFiles {
  certificate: string;
  key: string;
}

/** All settings of a server. */
export interface ServerSettings {
  /** Name or address to listen on. */
  host: string;
  /** 0: any free port. */
  port: number;
  /** A Unix socket to listen on instead of host and port. */
  socketPath: string | null;
  /** Absolute path. */
  workDir: string;
  apiKey: string | null;
  /** Ask local clients for the key too. */
  requireKey: boolean;
  logLevel: Settings["log_level"];
  /** `auto`: pretty on a terminal, else JSON lines. */
  logFormat: Settings["log_format"];
  corsOrigins: string[];
  /** Addresses or networks (CIDR) of proxies whose forwarding headers are believed. */
  trustedProxies: string[];
  /** What https is served with, absolute paths; null: plain http. */
  tls: TlsFiles | null;
  maxBodyBytes: number;
  /** Sessions with a kernel at one time. */
  maxSessions: number;
  /** Executions that may wait in one session. */
  maxQueue: number;
  /** Of each session, kernel and all that it starts; null: no limit. */
  sessionMemoryBytes: number | null;
  /** Processes and threads of each session; null: no limit. */
  sessionProcesses: number | null;
  /** Of each session's files; null: no limit. */
  sessionDiskBytes: number | null;
  /** Of each of stdout and stderr of an execution. */
  maxOutputBytes: number;
  /** Of the file that holds all of a stream that was cut. */
  maxOutputFileBytes: number;
  /** Content of displays in an execution's result and events. */
  maxDisplayBytes: number;
  /** Of the raw log of a kernel process. */
  maxKernelLogBytes: number;
  /** How long the stream of a finished execution is kept. */
  streamRetentionMs: number;
  /** For executions whose request names no timeout; null: no limit. */
  executionTimeoutMs: number | null;
  /** For sessions whose request names none; null: never. */
  idleTimeoutMs: number | null;
  /** What an interrupted kernel has before it is killed. */
  interruptGraceMs: number;
  /** What running executions have when the server is told to end. */
  shutdownGraceMs: number;
  /** How long sessions live on, and take new executions, before the end begins. */
  drainTimeoutMs: number;
  /** What sessions behind a gateway can require. */
  labels: string[];
  /** When told to end, leave sessions and kernels to the next server. */
  keepSessions: boolean;
  /** How long kernels outlive a server that was lost. */
  orphanTimeoutMs: number;
  /** From a session's end until its files are removed; 0: at once, null: never. */
  removeFilesAfterMs: number | null;
  /** Interpreter (path or command) of the kernels; null: found, or made once. */
  python: string | null;
  kernelStart: Settings["kernel_start"];
  /** Python kernels kept ready. */
  kernelPool: number;
  /** Modules that the template imports before it forks. */
  preload: string[];
  kernelStartTimeoutMs: number;
  /** Whether kernels are walled off; `auto`: where the machine can. */
  sandbox: Settings["sandbox"];
  /** Whether walled kernels have a network. */
  sandboxNetwork: boolean;
  /** Absolute paths that walled kernels may read, beside the system and Python. */
  sandboxRead: string[];
  /** What plugins see as `ctx.env_id`. */
  envId: string;
  /** End when no lease is held, nothing runs and no request has come for `unusedGraceMs`. */
  exitWhenUnused: boolean;
  unusedGraceMs: number;
}

/**
 * Resolves the server's settings: flags over environment over file over defaults.
 * @throws UsageError naming the flag, variable or file key whose value does not fit.
 */
export function resolveServerSettings(
  flags: FlagValues = {},
  env: Environment = process.env,
  file: ConfigFile | null = null,
): ServerSettings {
  const { values, origins } = layerSettings(flags, env, file);
  const base = (name: SettingName) => (origins[name].rank <= 1 ? (file?.directory ?? ".") : ".");
  const path = (name: "tls_certificate" | "tls_key") => resolve(base(name), values[name]);
  checkTls(values);
  return {
    ...toServerSettings(values),
    tls: values.tls_certificate === "" ? null : { certificate: path("tls_certificate"), key: path("tls_key") },
    workDir: resolve(base("work_dir"), values.work_dir),
    socketPath: values.socket === "" ? null : resolve(base("socket"), values.socket),
    python: absolutePython(values.python, base("python")),
    sandboxRead: values.sandbox_read.map((path) => resolve(base("sandbox_read"), path)),
  };
}

/** A path is meant from where it is written; a plain name is looked up on PATH. */
export function absolutePython(python: string, base: string): string | null {
  if (python === "") return null;
  return /[/\\]/.test(python) ? resolve(base, python) : python;
}

function checkTls({ tls_certificate: certificate, tls_key: key }: Settings): void {
  if ((certificate === "") === (key === "")) return;
  const [given, missing] = certificate === "" ? ["tls_key", "tls_certificate"] : ["tls_certificate", "tls_key"];
  throw new UsageError(`${given} needs ${missing} beside it: a certificate and its key serve https together.`);
}

/** The settings of a server that was told nothing. */
export const SERVER_DEFAULTS: ServerSettings = resolveServerSettings({}, {}, null);

function toServerSettings(values: Settings): Omit<ServerSettings, "workDir" | "socketPath" | "python" | "sandboxRead" | "tls"> {
  return {
    host: values.host,
    port: values.port,
    apiKey: values.api_key === "" ? null : values.api_key,
    requireKey: values.require_key,
    logLevel: values.log_level,
    logFormat: values.log_format,
    corsOrigins: values.cors_origins,
    trustedProxies: values.trusted_proxies,
    maxBodyBytes: values.max_body_bytes,
    maxSessions: values.max_sessions,
    maxQueue: values.max_queue,
    sessionMemoryBytes: bytesOf(values.session_memory),
    sessionProcesses: values.session_processes === 0 ? null : values.session_processes,
    sessionDiskBytes: bytesOf(values.session_disk),
    maxOutputBytes: values.max_output_bytes,
    maxOutputFileBytes: values.max_output_file_bytes,
    maxDisplayBytes: values.max_display_bytes,
    maxKernelLogBytes: values.max_kernel_log_bytes,
    streamRetentionMs: values.stream_retention * 1000,
    executionTimeoutMs: values.execution_timeout === 0 ? null : values.execution_timeout * 1000,
    idleTimeoutMs: values.idle_timeout === 0 ? null : values.idle_timeout * 1000,
    interruptGraceMs: values.interrupt_grace * 1000,
    shutdownGraceMs: values.shutdown_grace * 1000,
    drainTimeoutMs: values.drain_timeout * 1000,
    labels: values.labels,
    keepSessions: values.keep_sessions,
    orphanTimeoutMs: values.orphan_timeout * 1000,
    removeFilesAfterMs: values.remove_files < 0 ? null : values.remove_files * 1000,
    kernelStart: values.kernel_start,
    kernelPool: values.kernel_pool,
    preload: values.preload,
    kernelStartTimeoutMs: values.kernel_start_timeout * 1000,
    sandbox: values.sandbox,
    sandboxNetwork: values.sandbox_network,
    envId: values.env_id,
    exitWhenUnused: values.exit_when_unused,
    unusedGraceMs: values.unused_grace * 1000,
  };
}
