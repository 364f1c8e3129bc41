/** The value of an execution as text. */
import type { ExecutionResult } from "../api/index.ts";

/**
 * The last value as Python writes it (`3.0`, `(1, 2)`), or null where there is none. A string stands for itself, without quotes.
 * @param result As the client gave it.
 */
export function outputText({ output, output_text }: ExecutionResult): string | null {
  if (typeof output === "string") return output === "" ? null : output;
  return output_text ?? JSON.stringify(output);
}
