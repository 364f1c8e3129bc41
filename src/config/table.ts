/** The settings as the docs show them; a test compares. */
import { GATEWAY_SETTINGS } from "./gateway-settings.ts";
import { describeExpected, environmentName, fileKey, flagName, SETTING_NAMES, settingSchema, type SettingSide } from "./settings.ts";

/**
 * A Markdown table of the settings of one side, those of both included.
 * @param side Whose settings.
 */
export function settingsTable(side: Exclude<SettingSide, "both">): string {
  const names = SETTING_NAMES.filter((name) => {
    const { notes } = settingSchema(name);
    if (side === "gateway") return GATEWAY_SETTINGS.includes(name);
    return notes.hidden !== true && (notes.side === side || notes.side === "both");
  });
  const rows = names.map((name) => {
    const schema = settingSchema(name);
    const flag = schema.default === true ? flagName(name).replace("--", "--no-") : flagName(name);
    const cells = [
      `\`${fileKey(name)}\``,
      describeExpected(name),
      `\`${JSON.stringify(schema.default)}\``,
      `\`${environmentName(name)}\`${schema.notes.noFlag === true ? "" : `<br>\`${flag}\``}`,
      schema.description,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return ["| Option | Type | Default | Environment, flag | Description |", "|---|---|---|---|---|", ...rows].join("\n");
}
