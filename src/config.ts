/** Configuration: one schema of settings; flags win over environment, environment over file, file over default. */
export { isLoopbackHost, resolveClientSettings, type ClientSettings, type ContainerSettings } from "./config/client-settings.ts";
export { CONFIG_FILE_NAME, loadConfigFile, type ConfigFile, type FindConfigOptions } from "./config/file.ts";
export type { Environment, FlagValues } from "./config/layers.ts";
export { GATEWAY_SETTINGS, resolveGatewaySettings, type GatewaySettings } from "./config/gateway-settings.ts";
export { lacksModel, MODEL_SERVICES, resolveModelSettings, type ModelSettings } from "./config/model-settings.ts";
export { nearest } from "./config/nearest.ts";
export { resolveServerSettings, SERVER_DEFAULTS, type ServerSettings } from "./config/server-settings.ts";
export { settingsTable } from "./config/table.ts";
export {
  describeExpected,
  environmentName,
  FILE_KEY_PREFIX,
  fileKey,
  flagName,
  SETTING_NAMES,
  settingSchema,
  SETTINGS,
  type SettingName,
  type Settings,
  type SettingSchema,
} from "./config/settings.ts";
