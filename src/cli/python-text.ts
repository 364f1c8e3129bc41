/** A value as Python would show it: the JSON of a result, written in Python's own notation. */

/**
 * The text of an execution's last value, or null where there is none.
 * @param output The result's `output`; an empty string is no value.
 */
export function outputText(output: unknown): string | null {
  if (output === "" || output === undefined) return null;
  return typeof output === "string" ? output : pythonText(output);
}

/** As `repr` writes it. */
export function pythonText(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(pythonText).join(", ")}]`;
  const entries = Object.entries(value).map(([key, each]) => `${quoted(key)}: ${pythonText(each)}`);
  return `{${entries.join(", ")}}`;
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll(quote, `\\${quote}`)
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t");
  return quote + escaped + quote;
}
