/** Positions in code: JavaScript counts UTF-16 units, Jupyter and Python count code points. */

/** How many code points lie before a UTF-16 position. */
export function toCodePoints(text: string, position: number): number {
  let count = 0;
  for (const _ of text.slice(0, position)) count += 1;
  return count;
}

/** The UTF-16 position behind so many code points. */
export function fromCodePoints(text: string, count: number): number {
  let position = 0;
  let left = count;
  for (const character of text) {
    if (left <= 0) break;
    position += character.length;
    left -= 1;
  }
  return position;
}
