/** Lays flags over environment over file over defaults, and says where each value came from. */
import { readFileSync } from "node:fs";
import Value from "typebox/value";
import { UsageError } from "../errors.ts";
import type { ConfigFile } from "./file.ts";
import {
  describeExpected,
  environmentName,
  fileKey,
  flagName,
  SETTING_NAMES,
  settingSchema,
  type SettingName,
  type Settings,
} from "./settings.ts";

/** Values from the command line, by setting name; text is converted to the setting's type. */
export type FlagValues = { [Name in SettingName]?: string | number | boolean | string[] | undefined };

/** Environment variables, as in `process.env`. */
export type Environment = Record<string, string | undefined>;

/** Where a value came from; a higher rank wins. */
export interface SettingOrigin {
  rank: 0 | 1 | 2 | 3;
  /** For a sentence, e.g. `TASKWEAVER_SERVER_PORT` or `"execution.server.port" in /p/taskweaver_config.json`. */
  label: string;
}

/** All settings with their origins. */
export interface LayeredSettings {
  values: Settings;
  origins: Record<SettingName, SettingOrigin>;
}

/**
 * Resolves every setting.
 * @throws UsageError naming the flag, variable or file key whose value does not fit, and what was expected.
 */
export function layerSettings(flags: FlagValues, env: Environment, file: ConfigFile | null): LayeredSettings {
  const values: Partial<Record<SettingName, unknown>> = {};
  const origins: Partial<Record<SettingName, SettingOrigin>> = {};
  for (const name of SETTING_NAMES) {
    const [value, origin] = resolveOne(name, flags, env, file);
    if (origin.rank !== 0) check(name, value, origin);
    values[name] = value;
    origins[name] = origin;
  }
  return { values: values as Settings, origins: origins as Record<SettingName, SettingOrigin> };
}

function resolveOne(name: SettingName, flags: FlagValues, env: Environment, file: ConfigFile | null): [unknown, SettingOrigin] {
  const flag = flags[name];
  if (flag !== undefined) return [fromText(name, flag), { rank: 3, label: flagName(name) }];
  const variable = env[environmentName(name)];
  // An empty variable counts as absent: `${KEY:-}` in a Compose file makes one.
  if (variable !== undefined && variable !== "") return [fromText(name, variable), { rank: 2, label: environmentName(name) }];
  const secret = secretInFile(name, env);
  if (secret !== undefined) return [secret, { rank: 2, label: `${environmentName(name)}_FILE` }];
  const filed = file?.values[name];
  // A size without a unit may stand in the file as a number.
  const isBytes = typeof filed === "number" && settingSchema(name).pattern !== undefined;
  if (file !== null && filed !== undefined)
    return [isBytes ? String(filed) : filed, { rank: 1, label: `"${fileKey(name)}" in ${file.path}` }];
  return [settingSchema(name).default, { rank: 0, label: "the default" }];
}

/** Engines hand over secrets as files. Editors end a file with a line break, which is no part of a key. */
function secretInFile(name: SettingName, env: Environment): string | undefined {
  const variable = `${environmentName(name)}_FILE`;
  const path = env[variable];
  if (settingSchema(name).notes.secret !== true || path === undefined || path === "") return undefined;
  let secret: string;
  try {
    secret = readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new UsageError(`${variable} must name a file that can be read: ${(error as Error).message}.`, { cause: error });
  }
  // A server that was meant to have this key must not run with another, or with none.
  if (secret === "") throw new UsageError(`${variable} names a file that is empty: ${path}.`);
  return secret;
}

/** Flags and variables are text; what cannot be read as the setting's type stays text and fails the check. */
function fromText(name: SettingName, value: string | number | boolean | string[]): unknown {
  if (typeof value !== "string") return value;
  const { type } = settingSchema(name);
  const word = value.trim().toLowerCase();
  if (type === "boolean") return TRUE_WORDS.has(word) ? true : FALSE_WORDS.has(word) ? false : value;
  if (type === "integer" || type === "number") return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(word) ? Number(word) : value;
  if (type === "array")
    return value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  return value;
}

const TRUE_WORDS = new Set(["1", "true", "yes", "on"]);
const FALSE_WORDS = new Set(["0", "false", "no", "off"]);

function check(name: SettingName, value: unknown, origin: SettingOrigin): void {
  if (Value.Check(settingSchema(name), value)) return;
  const shown = settingSchema(name).notes.secret === true ? "the value given" : (JSON.stringify(value) ?? String(value)).slice(0, 100);
  throw new UsageError(`${origin.label} must be ${describeExpected(name)}, not ${shown}.`);
}
