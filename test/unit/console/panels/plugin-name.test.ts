/** The name of a plugin out of its file's. */
import { expect, test } from "vitest";
import { PluginName } from "../../../../src/api/index.ts";
import { pluginNameOf } from "../../../../console/panels/plugin-name.ts";

test.each([
  ["convert_currency.py", "convert_currency"],
  ["sql-pull data.py", "sql_pull_data"],
  ["2nd.py", "plugin_2nd"],
  ["_private_.py", "private"],
  ["größe.py", "größe"],
  [".py", "plugin"],
  ["noending", "noending"],
])("%s is loaded as %s", (fileName, name) => {
  expect(pluginNameOf(fileName)).toBe(name);
  expect(name).toMatch(new RegExp((PluginName as unknown as { pattern: string }).pattern, "u"));
});
