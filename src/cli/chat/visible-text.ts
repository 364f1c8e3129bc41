/** What a model writes, as it is safe to show: a terminal must not act on it, and code must read as it runs. */

/**
 * The text with control characters and marks that turn the direction of writing made visible.
 * @see https://trojansource.codes
 */
export function visibleText(text: string): string {
  return text.replaceAll("\r\n", "\n").replaceAll(HIDDEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Control characters but tab and line feed; marks of direction; characters without width that could split a name. */
const HIDDEN = /(?![\t\n])\p{Cc}|[\u061C\u200B\u200E\u200F\u2028\u2029\u202A-\u202E\u2060\u2066-\u2069\uFEFF]/gu;
