/** Sizes as people write them: `2g`, `512m`, `1.5 GiB`, or a plain number of bytes. Units are powers of 1024, as container engines have them. */

/** What a size looks like. */
export const SIZE_PATTERN = "^\\s*\\d+(\\.\\d+)?\\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\\s*$";

const UNITS = "bkmgt";

/** The bytes of a size; null for none (an empty text or zero). */
export function bytesOf(size: string): number | null {
  const [, number, unit = "b"] = /^\s*(\d+(?:\.\d+)?)\s*([bkmgt])?/i.exec(size) ?? [];
  const bytes = number === undefined ? 0 : Math.floor(Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
  return bytes === 0 ? null : bytes;
}
