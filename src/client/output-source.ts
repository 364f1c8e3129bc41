/** The value of an execution as the server wrote it: JavaScript's numbers forget that `3.0` was no integer. */
import type { ExecutionResult } from "../api/index.ts";

const sources = new WeakMap<ExecutionResult, string>();

/**
 * The JSON text of a result's `output`, with numbers in the form that the kernel gave them where the result came by a stream.
 * @param result As the client gave it.
 */
export function outputSource(result: ExecutionResult): string {
  return sources.get(result) ?? JSON.stringify(result.output);
}

/** Keeps the text of `output` beside the parsed result. */
export function rememberOutputSource(result: ExecutionResult, json: string): void {
  const source = memberSource(json, "output");
  // Kept only where it says more than the value: it holds on to the text of the whole result.
  if (source !== null && source !== JSON.stringify(result.output)) sources.set(result, source);
}

/** The text of a member of the object that a JSON text is; null where there is none. Expects valid JSON. */
function memberSource(json: string, key: string): string | null {
  let depth = 0;
  let name = "";
  let start = -1;
  for (let index = 0; index < json.length; index += 1) {
    const character = json[index];
    if (character === '"') {
      const end = endOfString(json, index);
      if (depth === 1 && start === -1) name = json.slice(index, end);
      index = end - 1;
    } else if (character === "{" || character === "[") {
      depth += 1;
    } else if (depth === 1 && start === -1 && character === ":") {
      start = index + 1;
    } else if (character === "}" || character === "]" || character === ",") {
      if (depth === 1) {
        if (name === JSON.stringify(key) && start !== -1) return json.slice(start, index).trim();
        start = -1;
      }
      if (character !== ",") depth -= 1;
    }
  }
  return null;
}

function endOfString(json: string, start: number): number {
  for (let index = start + 1; index < json.length; index += 1) {
    if (json[index] === "\\") index += 1;
    else if (json[index] === '"') return index + 1;
  }
  return json.length;
}
