/** Plugins as a model is told of them: the description, parameters and returns of their YAML. */

/** One parameter or one returned value. */
export interface PluginValue {
  name: string;
  /** As a Python programmer would write it, e.g. `list` or `pd.DataFrame`. */
  type: string;
  description: string;
  /** Whether a parameter has to be given. */
  isRequired: boolean;
}

/** A plugin that the session has loaded. */
export interface PluginDescription {
  /** What code calls it by. */
  name: string;
  description: string;
  parameters: PluginValue[];
  returns: PluginValue[];
}

/** The plugins as Python would declare them. */
export function pluginText(plugins: readonly PluginDescription[]): string {
  return plugins.map(declaration).join("\n\n");
}

function declaration({ name, description, parameters, returns }: PluginDescription): string {
  const given = parameters.map((each) => `${each.name}: ${each.type}${each.isRequired ? "" : " = ..."}`).join(", ");
  const types = returns.map((each) => each.type);
  const result = types.length === 0 ? "" : ` -> ${types.length === 1 ? types[0] : `tuple[${types.join(", ")}]`}`;
  const lines = [
    ["", description],
    ...parameters.map((each) => [`${each.name}: `, each.description]),
    ...returns.map((each) => [`returns ${each.name}: `, each.description]),
  ].flatMap(([label, text = ""]) => (text.trim() === "" ? [] : [`    # ${label}${oneLine(text)}`]));
  return [`def ${name}(${given})${result}:`, ...lines].join("\n");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
