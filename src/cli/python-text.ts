/** A value as Python would show it: the JSON of a result, written in Python's own notation. */

/**
 * The text of an execution's last value, or null where there is none.
 * @param source The JSON text of the result's `output`; an empty string is no value.
 */
export function outputText(source: string): string | null {
  if (source === '""') return null;
  // Text is the value's own; inside of something it is quoted, as `repr` does.
  return source.startsWith('"') ? (JSON.parse(source) as string) : pythonText(source);
}

/** JSON as `repr` writes the same value; numbers stay as they are written. */
export function pythonText(json: string): string {
  return json.replaceAll(TOKEN, (token) => {
    if (token.startsWith('"')) return quoted(JSON.parse(token) as string);
    return WORDS[token.trim()] ?? token;
  });
}

const TOKEN = /"(?:[^"\\]|\\.)*"|true|false|null|\s*[,:]\s*/g;
const WORDS: Record<string, string> = { true: "True", false: "False", null: "None", ",": ", ", ":": ": " };

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
