/** The name under which a plugin's file is loaded. */

/** A Python identifier out of a file's name: `sql-pull data.py` becomes `sql_pull_data`. */
export function pluginNameOf(fileName: string): string {
  const stem = fileName.replace(/\.[^.]*$/, "");
  const name = stem.replace(/[^\p{ID_Continue}]+/gu, "_").replace(/^_+|_+$/g, "");
  return /^\p{ID_Start}/u.test(name) ? name : name === "" ? "plugin" : `plugin_${name}`;
}
