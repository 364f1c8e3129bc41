/** What lies at the bottom of a failed request: Node hides it below `cause`, and in an `AggregateError` per address. */

/** Further down there is nothing but a circle. */
const DEEPEST = 6;

/**
 * The operating system's name for what happened, e.g. `ECONNREFUSED`.
 * @returns undefined where nothing below the error has one.
 */
export function systemCode(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < DEEPEST && typeof current === "object" && current !== null; depth += 1) {
    const { code, cause, errors } = current as { code?: unknown; cause?: unknown; errors?: unknown[] };
    if (typeof code === "string" && code !== "" && code !== "UND_ERR" && !code.startsWith("ERR_INVALID")) return code;
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
