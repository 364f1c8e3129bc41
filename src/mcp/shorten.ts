/** Long text, shortened for a model: its beginning and its end, and how to read what is between. */

/** Characters of one text that a result carries. */
export const MOST_CHARACTERS = 12_000;

/**
 * Shortens text.
 * @param how Tells how to read on from a position in characters.
 */
export function shorten(text: string, how: (offset: number) => string, most = MOST_CHARACTERS): string {
  if (text.length <= most) return text;
  const half = Math.floor(most / 2);
  const head = cut(text, 0, half);
  const tail = cut(text, text.length - half, text.length);
  const leftOut = text.length - head.length - tail.length;
  return `${head}\n[... ${leftOut} of ${text.length} characters are left out here; ${how(head.length)} ...]\n${tail}`;
}

/** A part of a text that begins and ends between characters, never in the middle of a surrogate pair. */
export function cut(text: string, start: number, end: number): string {
  return text.slice(boundary(text, start), boundary(text, end));
}

function boundary(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return index > 0 && code >= 0xdc00 && code <= 0xdfff ? index - 1 : index;
}
