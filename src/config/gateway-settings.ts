/** What the gateway is told: its own settings, and those of the server that concern its door. */
import { resolve } from "node:path";
import { UsageError } from "../errors.ts";
import type { ConfigFile } from "./file.ts";
import { layerSettings, type Environment, type FlagValues } from "./layers.ts";
import { resolveServerSettings, type ServerSettings } from "./server-settings.ts";
import type { SettingName } from "./settings.ts";

/** The settings that the gateway reads, in the order of its help. */
export const GATEWAY_SETTINGS: readonly SettingName[] = [
  "executors",
  "executor_key",
  "executor_ca",
  "host",
  "port",
  "api_key",
  "tls_certificate",
  "tls_key",
  "work_dir",
  "executor_timeout",
  "shutdown_grace",
  "require_key",
  "cors_origins",
  "trusted_proxies",
  "max_body_bytes",
  "log_level",
  "log_format",
];

/** What of a server's settings means the same to a gateway. */
type Shared = Pick<
  ServerSettings,
  | "host"
  | "port"
  | "apiKey"
  | "requireKey"
  | "workDir"
  | "logLevel"
  | "logFormat"
  | "corsOrigins"
  | "trustedProxies"
  | "tls"
  | "maxBodyBytes"
  | "shutdownGraceMs"
>;

/** All settings of a gateway. */
export interface GatewaySettings extends Shared {
  /** As written: URLs, or `dns:NAME:PORT`. */
  executors: string[];
  executorKey: string;
  /** Absolute path of the authorities that executors' certificates are checked against; null: the usual ones. */
  executorCa: string | null;
  /** Without a connection for so long an executor is lost. */
  executorTimeoutMs: number;
}

/**
 * Resolves the gateway's settings: flags over environment over file over defaults.
 * @throws UsageError naming the flag, variable or file key whose value does not fit, or what is missing.
 */
export function resolveGatewaySettings(
  flags: FlagValues = {},
  env: Environment = process.env,
  file: ConfigFile | null = null,
): GatewaySettings {
  const { values, origins } = layerSettings(flags, env, file);
  const server = resolveServerSettings(flags, env, file);
  if (values.executors.length === 0) {
    throw new UsageError("A gateway needs executors: --executors http://one:8000,http://two:8000 or --executors dns:tasks.executor:8000.");
  }
  // What a gateway sends is forwarded for others: no executor takes that without a key.
  if (values.executor_key === "") {
    throw new UsageError("A gateway needs the key of its executors: set TASKWEAVER_SERVER_EXECUTOR_KEY to what they have as api_key.");
  }
  return {
    ...server,
    executors: values.executors,
    executorKey: values.executor_key,
    executorCa:
      values.executor_ca === "" ? null : resolve(origins.executor_ca.rank <= 1 ? (file?.directory ?? ".") : ".", values.executor_ca),
    executorTimeoutMs: values.executor_timeout * 1000,
  };
}
