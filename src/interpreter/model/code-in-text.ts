/** Finds code that a model without a tool has put into its text: a block at the end, or the tool's call written out. */
import { CodeArgumentReader } from "./code-argument.ts";
import { lastFencedCode } from "./fenced-code.ts";
import { CODE_TOOL } from "./language-model.ts";

/** The code and the words before it, or null. */
export function codeInText(text: string): { before: string; code: string } | null {
  return writtenCall(text) ?? lastFencedCode(text);
}

/** `{"name": "run_python", "arguments": {"code": "…"}}`, bare or in the marks that models were trained on. */
function writtenCall(text: string): { before: string; code: string } | null {
  const start = text.search(/(<tool_call>\s*|```(json)?\s*|^\s*|\n\s*)\{\s*"(name|function|tool)"\s*:/);
  if (start === -1 || !text.includes(`"${CODE_TOOL.name}"`)) return null;
  const json = text
    .slice(start)
    .replace(/^\s*(<tool_call>|```(json)?)?\s*/, "")
    .replace(/\s*(<\/tool_call>|```)?\s*$/, "");
  try {
    const call = JSON.parse(json) as { arguments?: unknown; parameters?: unknown };
    const given = call.arguments ?? call.parameters;
    const reader = new CodeArgumentReader();
    reader.push(typeof given === "string" ? given : JSON.stringify(given));
    const argument = reader.finish();
    return "code" in argument ? { before: text.slice(0, start).trim(), code: argument.code } : null;
  } catch {
    return null;
  }
}
