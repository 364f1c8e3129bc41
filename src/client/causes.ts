/** What lies at the bottom of a failed request: Node hides it below `cause`, and in an `AggregateError` per address. */

/** Further down there is nothing but a circle. */
const DEEPEST = 6;

/**
 * The name of what happened, as the operating system or Node's HTTP parser has it: `ECONNREFUSED`, `HPE_INVALID_CONSTANT`.
 * @returns undefined where nothing below the error has one.
 */
export function systemCode(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < DEEPEST && typeof current === "object" && current !== null; depth += 1) {
    const { name, code, cause, errors } = current as { name?: unknown; code?: unknown; cause?: unknown; errors?: unknown[] };
    if (typeof code === "string" && code !== "" && code !== "UND_ERR" && !code.startsWith("ERR_INVALID")) return code;
    // An answer that is no HTTP has no code from Node 24 on.
    if (name === "HTTPParserError") return "HPE_UNKNOWN";
    current = cause ?? errors?.[0];
  }
  return undefined;
}

/** The message of the error that caused all others; empty where none of them has one. */
export function innermostMessage(error: unknown): string {
  let current: unknown = error;
  let message = "";
  for (let depth = 0; depth < DEEPEST && current instanceof Error; depth += 1) {
    message = current.message === "" ? message : current.message;
    current = current.cause;
  }
  return message;
}
