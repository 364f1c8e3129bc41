/** Every setting there is: one schema for the configuration file, the environment, the flags, the defaults and the table of the docs. */
import { SIZE_PATTERN } from "./size.ts";
import { Type, type Static, type TSchema } from "typebox";

/** Who reads a setting: the server, the client that finds or starts one, both, or the gateway alone, which also reads some of the server's. */
export type SettingSide = "client" | "server" | "both" | "gateway";

/** What a setting has beside its JSON Schema. */
export interface SettingNotes {
  side: SettingSide;
  /** The key in the file, where it is not `execution.server.` and the name; the environment variable then lacks `SERVER_`. */
  key?: string;
  /** The environment variable, where it is not `TASKWEAVER_SERVER_` and the name. */
  env?: string;
  /** No flag: the command line has its own way to say it, or it makes no sense for one call. */
  noFlag?: boolean;
  /** Left out of `--help` and the docs: for programs, not for people. */
  hidden?: boolean;
  /** A key: never shown, and its environment variable may name a file that holds it, by the same name with `_FILE`. */
  secret?: boolean;
}

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
const LOG_FORMATS = ["auto", "pretty", "json"] as const;
const KERNEL_STARTS = ["auto", "fork", "spawn"] as const;
const SANDBOXES = ["none", "auto", "required"] as const;
const CONTAINER_NETWORKS = ["bridge", "none"] as const;

const OPTIONAL_SIZE = `^$|${SIZE_PATTERN}`;
const MIB = 1024 * 1024;
const YEAR_SECONDS = 31_536_000;

/** All settings by name; in the file they are called `execution.server.NAME`, where they name no key of their own. */
export const SETTINGS = {
  url: text("http://localhost:8000", "Server URL; made from host and port where it is not given", { side: "client" }),
  api_key: text("", "API key for authentication; prefer the environment, since other users of the machine can see flags", {
    side: "both",
    secret: true,
  }),
  auto_start: bool(true, "Auto-start server if not running; never for a url on another machine", { side: "client" }),
  container: bool(false, "Run server in Docker container", { side: "client" }),
  container_image: text("taskweavercontainers/taskweaver-executor:latest", "Docker image", { side: "client" }),
  container_network: choice(CONTAINER_NETWORKS, "bridge", "Network of the container; none: no way out, reached over a Unix socket", {
    side: "client",
  }),
  container_memory: text("", "Memory limit of the container, e.g. 4g; empty: three quarters of the machine's, 0: none", { side: "client" }),
  container_cpus: number(0, "Processors that the container may use; 0: all", { side: "client" }, { minimum: 0 }),
  container_processes: integer(1024, "Processes and threads that the container may hold", { side: "client" }, { minimum: 16 }),
  container_gpus: text("", "GPUs of the container as the engine names them, e.g. all; empty: none", { side: "client" }),
  host: text("localhost", "Server bind host", { side: "both" }),
  port: integer(8000, "Server bind port; 0: any free one", { side: "both" }, { minimum: 0, maximum: 65_535 }),
  timeout: number(
    300,
    "Request timeout (seconds): ends the client's wait, never the execution",
    { side: "client" },
    { exclusiveMinimum: 0, maximum: YEAR_SECONDS },
  ),
  socket: text("", "Unix socket to serve on instead of host and port", { side: "both" }),
  work_dir: text("./workspace", "Folder for the sessions' files; made where it is absent", { side: "both" }),
  log_level: choice(LOG_LEVELS, "info", "Least level that is logged", { side: "server" }),
  log_format: choice(LOG_FORMATS, "auto", "How logs are written; auto: pretty on a terminal, else JSON lines", { side: "server" }),
  require_key: bool(false, "Ask local clients for the key too", { side: "server" }),
  cors_origins: list([], "Web origins that may call the server, e.g. https://lab.example.org", { side: "server" }),
  tls_certificate: text(
    "",
    "Certificate to serve https with, in PEM, those between it and the authority behind it; read again when it changes",
    { side: "server" },
  ),
  tls_key: text("", "Its private key, in PEM, without a passphrase", { side: "server" }),
  trusted_proxies: list([], "Addresses or networks of proxies whose forwarding headers are believed", { side: "server" }),
  max_body_bytes: integer(
    128 * MIB,
    "Largest request body; a raw PUT of a file is bounded by the disk only",
    { side: "server" },
    { minimum: 1024 },
  ),
  max_sessions: integer(100, "Sessions with a kernel at one time", { side: "server" }, { minimum: 1 }),
  max_queue: integer(100, "Executions that may wait in one session", { side: "server" }, { minimum: 1 }),
  session_memory: size("Memory that a session's kernel and all that it starts may use together; empty: no limit", { side: "server" }),
  session_processes: integer(
    0,
    "Processes and threads that a session may hold, those of its kernel included; 0: no limit",
    { side: "server" },
    { minimum: 0, maximum: 1_000_000 },
  ),
  session_disk: size("Disk that a session's files may take, looked at while it works; empty: no limit", { side: "server" }),
  max_output_bytes: integer(64 * MIB, "Text kept of each of stdout and stderr of an execution", { side: "server" }, { minimum: 1024 }),
  max_output_file_bytes: integer(
    1024 * MIB,
    "Text of each stream past max_output_bytes that goes to a file, from its beginning",
    { side: "server" },
    { minimum: 0 },
  ),
  max_display_bytes: integer(
    256 * MIB,
    "Content of displays that an execution's result and events carry; later ones are in their files only",
    { side: "server" },
    { minimum: 0 },
  ),
  max_kernel_log_bytes: integer(
    16 * MIB,
    "Raw log of a kernel process; a longer one is cut, and its end kept",
    { side: "server" },
    { minimum: 1024 * 1024 },
  ),
  stream_retention: number(
    600,
    "Seconds that the stream of a finished execution is kept",
    { side: "server" },
    { minimum: 0, maximum: YEAR_SECONDS },
  ),
  execution_timeout: number(
    0,
    "Seconds that an execution may run where its request names no timeout; 0: no limit",
    { side: "server" },
    { minimum: 0, maximum: YEAR_SECONDS },
  ),
  idle_timeout: number(
    0,
    "Seconds without a request until a session's kernel ends, where its request names none; 0: never",
    { side: "server" },
    { minimum: 0, maximum: YEAR_SECONDS },
  ),
  interrupt_grace: number(
    5,
    "Seconds that an interrupted kernel has before it is killed",
    { side: "server" },
    { minimum: 0, maximum: 3600 },
  ),
  shutdown_grace: number(
    10,
    "Seconds that running executions have when the server is told to end",
    { side: "server" },
    { minimum: 0, maximum: 3600 },
  ),
  drain_timeout: number(
    0,
    "Seconds that sessions live on when the server is told to end; meanwhile it takes no new ones. 0: none, they end at once",
    { side: "server" },
    { minimum: 0, maximum: YEAR_SECONDS },
  ),
  labels: list([], "What this server has that sessions behind a gateway can ask for with `requires`, e.g. gpu", { side: "server" }),
  keep_sessions: bool(false, "Leave the sessions and their kernels to the next server on this work directory when told to end", {
    side: "server",
  }),
  orphan_timeout: number(
    600,
    "Seconds that kernels outlive a server that was lost",
    { side: "server" },
    { minimum: 0, maximum: YEAR_SECONDS },
  ),
  remove_files: number(
    -1,
    "Seconds after its end until a session's files are removed; 0: at once, -1: never",
    { side: "server" },
    { minimum: -1, maximum: YEAR_SECONDS },
  ),
  python: text("", "Python interpreter of the kernels; found, or made once, where it is not named", {
    side: "both",
    env: "TASKWEAVER_PYTHON",
  }),
  kernel_start: choice(KERNEL_STARTS, "auto", "How Python kernels start; auto: forked where that is safe", { side: "server" }),
  kernel_pool: integer(
    8,
    "Most Python kernels kept ready for the next sessions; as many as were taken of late wait",
    { side: "server" },
    { minimum: 0, maximum: 64 },
  ),
  preload: list([], "Python modules to import before kernels are forked, beside numpy, pandas and matplotlib", { side: "server" }),
  kernel_start_timeout: number(60, "Seconds that a kernel has to start", { side: "server" }, { exclusiveMinimum: 0, maximum: 3600 }),
  sandbox: choice(SANDBOXES, "none", "Wall kernels off from the machine and from each other; auto: where the machine can", {
    side: "server",
  }),
  sandbox_network: bool(true, "Whether walled kernels have a network", { side: "server" }),
  sandbox_read: list([], "Paths that walled kernels may read, beside the system and Python", { side: "server" }),
  env_id: text("server", "What plugins see as ctx.env_id", { side: "server", env: "TASKWEAVER_ENV_ID" }),
  executors: list([], "Executors behind the gateway: URLs, or a name that DNS knows them by, e.g. dns:tasks.executor:8000", {
    side: "gateway",
  }),
  executor_key: text("", "API key that the gateway shows its executors; prefer the environment", { side: "gateway", secret: true }),
  executor_ca: text("", "Certificates of authorities, in PEM, that those of https executors are checked against; empty: the usual ones", {
    side: "gateway",
  }),
  executor_timeout: number(
    4,
    "Seconds without a connection after which an executor counts as lost",
    { side: "gateway" },
    { minimum: 0.1, maximum: 3600 },
  ),
  exit_when_unused: bool(false, "End when no lease is held, nothing runs and no request has come for a while", {
    side: "server",
    hidden: true,
  }),
  unused_grace: number(
    60,
    "Seconds without use after which exit_when_unused ends the server",
    { side: "server", hidden: true },
    { minimum: 1, maximum: YEAR_SECONDS },
  ),
  llm_model: text("", "Name of a language model; with one, `taskweaver -p DIR` is a chat", { side: "client", key: "llm.model" }),
  llm_api_type: text("openai", "The model's service: openai for any that is compatible with it, azure or ollama", {
    side: "client",
    key: "llm.api_type",
  }),
  llm_api_base: text("", "Address of the model's service; empty: OpenAI's own, or Ollama's on this machine", {
    side: "client",
    key: "llm.api_base",
  }),
  llm_api_key: text("", "Key for the model's service; without one, OPENAI_API_KEY counts where the service is OpenAI's own", {
    side: "client",
    key: "llm.api_key",
    noFlag: true,
    secret: true,
  }),
  llm_send_images: bool(false, "Send figures to the model as images; for models that take them", {
    side: "client",
    key: "llm.send_images",
  }),
  llm_azure_api_version: text("2024-06-01", "Version of the API, of azure only", { side: "client", key: "llm.azure.api_version" }),
} as const;

/** A setting's name, e.g. `work_dir`. */
export type SettingName = keyof typeof SETTINGS;

/** The values of all settings, by name. */
export type Settings = { [Name in SettingName]: Static<(typeof SETTINGS)[Name]> };

/** The names of all settings, in the order of the docs. */
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** What the settings' keys begin with in the configuration file; those of the model have TaskWeaver's own. */
export const FILE_KEY_PREFIX = "execution.server.";

/** The part of a JSON Schema that settings use, with {@link SettingNotes}. */
export interface SettingSchema {
  type: "string" | "boolean" | "integer" | "number" | "array";
  description: string;
  default: unknown;
  enum?: string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  /** Of a text that is a size. */
  pattern?: string;
  notes: SettingNotes;
}

/** The schema of one setting, as code that handles all of them alike sees it. */
export function settingSchema(name: SettingName): TSchema & SettingSchema {
  return SETTINGS[name] as unknown as TSchema & SettingSchema;
}

/** The key of a setting in the configuration file, e.g. `execution.server.work_dir`. */
export function fileKey(name: SettingName): string {
  return settingSchema(name).notes.key ?? FILE_KEY_PREFIX + name;
}

/** The environment variable of a setting, e.g. `TASKWEAVER_SERVER_WORK_DIR`. */
export function environmentName(name: SettingName): string {
  const { env, key } = settingSchema(name).notes;
  return env ?? `TASKWEAVER_${key === undefined ? "SERVER_" : ""}${name.toUpperCase()}`;
}

/** The flag of a setting, e.g. `--work-dir`. */
export function flagName(name: SettingName): string {
  return `--${name.replaceAll("_", "-")}`;
}

/** What a value has to be, in words, e.g. `a whole number from 0 to 65535`. */
export function describeExpected(name: SettingName): string {
  const schema = settingSchema(name);
  if (schema.enum !== undefined) return `one of ${schema.enum.join(", ")}`;
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "array") return "a list of strings";
  if (schema.pattern === OPTIONAL_SIZE) return "a size, e.g. 512m or 2g";
  if (schema.type === "string") return "a string";
  const kind = schema.type === "integer" ? "a whole number" : "a number";
  const { minimum, exclusiveMinimum, maximum } = schema;
  const above = exclusiveMinimum === undefined ? "" : ` above ${exclusiveMinimum}`;
  const from = minimum === undefined ? above : ` from ${minimum}`;
  if (maximum !== undefined) return `${kind}${from} ${minimum === undefined ? "and at most" : "to"} ${maximum}`;
  return minimum === undefined ? `${kind}${above}` : `${kind}, at least ${minimum}`;
}

function text(value: string, description: string, notes: SettingNotes) {
  return Type.String({ description, default: value, notes });
}

function size(description: string, notes: SettingNotes) {
  return Type.String({ pattern: OPTIONAL_SIZE, description, default: "", notes });
}

function bool(value: boolean, description: string, notes: SettingNotes) {
  return Type.Boolean({ description, default: value, notes });
}

function number(value: number, description: string, notes: SettingNotes, range: NumberRange) {
  return Type.Number({ description, default: value, notes, ...range });
}

function integer(value: number, description: string, notes: SettingNotes, range: NumberRange) {
  return Type.Integer({ description, default: value, notes, ...range });
}

function list(value: string[], description: string, notes: SettingNotes) {
  return Type.Array(Type.String({ minLength: 1 }), { description, default: value, notes });
}

function choice<const T extends string>(values: readonly T[], value: T, description: string, notes: SettingNotes) {
  return Type.Unsafe<T>({ type: "string", enum: [...values], description, default: value, notes });
}

interface NumberRange {
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
}
