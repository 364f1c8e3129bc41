/** Settings as command-line options: made from the one schema, collected into flag values. */
import { Option, type Command } from "commander";
import { flagName, SETTING_NAMES, settingSchema, type FlagValues, type SettingName } from "../config.ts";

/** Adds the options of settings to a command; those in `first` lead the help. */
export function addSettingOptions(command: Command, sides: readonly string[], first: readonly SettingName[]): void {
  const names = SETTING_NAMES.filter((name) => sides.includes(settingSchema(name).notes.side));
  for (const name of [...first, ...names.filter((each) => !first.includes(each))]) {
    const option = settingOption(name);
    if (!first.includes(name)) option.helpGroup("More options:");
    command.addOption(option);
  }
}

/** Adds the options of these settings only; a description of the command's own replaces the setting's. */
export function addOptionsOf(
  command: Command,
  names: readonly SettingName[],
  descriptions: Partial<Record<SettingName, string>> = {},
): void {
  for (const name of names) {
    const option = settingOption(name);
    option.description = descriptions[name] ?? option.description;
    command.addOption(option);
  }
}

/** The settings that the user gave as flags; defaults are not among them. */
export function collectFlags(command: Command): FlagValues {
  const values = command.opts<Record<string, string | boolean>>();
  const flags: FlagValues = {};
  for (const name of SETTING_NAMES) {
    const key = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (command.getOptionValueSource(key) === "cli") flags[name] = values[key];
  }
  return flags;
}

function settingOption(name: SettingName): Option {
  const schema = settingSchema(name);
  const flag = flagName(name);
  const text = `${schema.description}${shownDefault(name)}`;
  const isSwitch = schema.type === "boolean";
  const words = isSwitch ? (schema.default === true ? flag.replace("--", "--no-") : flag) : `${flag} <${placeholder(name)}>`;
  const option = new Option(words, isSwitch && schema.default === true ? `do not ${lowerFirst(text)}` : text);
  return schema.notes.hidden === true ? option.hideHelp() : option;
}

function placeholder(name: SettingName): string {
  const schema = settingSchema(name);
  if (name === "log_level") return "level";
  if (schema.enum !== undefined) return schema.enum.join("|");
  if (schema.type === "array") return "a,b";
  if (schema.pattern !== undefined) return "size";
  if (schema.type === "string") return name === "work_dir" ? "dir" : name === "url" || name === "host" ? name : "text";
  return /[Ss]econds/.test(schema.description) ? "seconds" : "number";
}

/** Defaults that only say "nothing", the description explains. */
function shownDefault(name: SettingName): string {
  const { default: value, type } = settingSchema(name);
  const isSaid = value === "" || type === "boolean" || type === "array" || value === 0 || value === -1;
  return isSaid ? "" : ` (default: ${String(value)})`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
