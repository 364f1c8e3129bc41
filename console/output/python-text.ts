/** Writes a JSON value the way Python writes it: `True`, `None`, `'text'`. */

const LINE_WIDTH = 88;

/**
 * The text of an execution's `output`. A string stands for itself: it may be a text of any kind.
 * @param output As the result has it.
 */
export function outputText(output: unknown): string {
  return typeof output === "string" ? output : pythonText(output);
}

/** A value as Python's `repr` has it; one that does not fit on a line is spread over several. */
export function pythonText(value: unknown, indent = 0): string {
  const line = oneLine(value);
  if (line.length + indent <= LINE_WIDTH || typeof value !== "object" || value === null) return line;
  const pad = " ".repeat(indent + 1);
  if (Array.isArray(value)) return `[${value.map((item) => pythonText(item, indent + 1)).join(`,\n${pad}`)}]`;
  const entries = Object.entries(value).map(([key, item]) => {
    const name = `${oneLine(key)}: `;
    return name + pythonText(item, indent + 1 + name.length);
  });
  return `{${entries.join(`,\n${pad}`)}}`;
}

function oneLine(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([key, item]) => `${quoted(key)}: ${oneLine(item)}`)
      .join(", ")}}`;
  }
  return JSON.stringify(value);
}

/** With single quotes, unless only double ones need no escape. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let result = "";
  for (const character of text) {
    if (character === quote || character === "\\") result += `\\${character}`;
    else result += ESCAPES[character] ?? (character < " " ? `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}` : character);
  }
  return quote + result + quote;
}

const ESCAPES: Record<string, string | undefined> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
