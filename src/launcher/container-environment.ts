/** The variables of a server in a container: its settings, its key, and what its plugins are configured by. */
import { environmentName, loadConfigFile, SETTING_NAMES, settingSchema, type ClientSettings, type SettingName } from "../config.ts";

/** Paths of this machine, for a server that others call. */
const OUTSIDE = new Set<SettingName>(["tls_certificate", "tls_key"]);

/** What a plugin's configuration begins with (`self.get_env`). */
const PLUGIN_PREFIX = "PLUGIN_";

/**
 * The variables to hand on, of what the client knows. The project's file itself stays outside: it may hold other keys than ours, and
 * code in the container could read it.
 * @param apiKey What the server asks for.
 */
export function serverVariables(settings: ClientSettings, apiKey: string, environment: NodeJS.ProcessEnv): Record<string, string> {
  const file = settings.projectDirectory === null ? null : loadConfigFile({ project: settings.projectDirectory });
  const variables: Record<string, string> = {};
  for (const name of SETTING_NAMES) {
    if (settingSchema(name).notes.side !== "server" || OUTSIDE.has(name)) continue;
    const value = environment[environmentName(name)] || textOf(file?.values[name]);
    if (value !== undefined) variables[environmentName(name)] = value;
  }
  for (const [name, value] of Object.entries(environment)) {
    if (name.startsWith(PLUGIN_PREFIX) && value !== undefined) variables[name] = value;
  }
  variables[environmentName("api_key")] = apiKey;
  return variables;
}

function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}
