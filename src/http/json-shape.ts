/** A look at JSON before it is parsed: a few megabytes of brackets would become gigabytes of objects. */
import { AppError } from "../errors.ts";

const MAX_DEPTH = 100;
const MAX_VALUES = 1_000_000;
const MAX_JUMPS = 1000;

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Counts depth and values without parsing; long strings cost next to nothing.
 * @throws AppError `invalid_json` where there is more than a request of ours can hold.
 */
export function checkJsonShape(body: Buffer): void {
  let depth = 0;
  let values = 0;
  for (let index = 0; index < body.length; index += 1) {
    const byte = body[index];
    if (byte === QUOTE) {
      index = endOfString(body, index);
      values += 1;
    } else if (byte === COMMA) values += 1;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth += 1;
      values += 1;
      if (depth > MAX_DEPTH) throw new AppError("invalid_json", `The request body is nested deeper than ${MAX_DEPTH} levels.`);
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth -= 1;
    if (values > MAX_VALUES) throw new AppError("invalid_json", `The request body holds more than ${MAX_VALUES} values.`);
  }
}

/** The index of the closing quote, or past the end where there is none. */
function endOfString(body: Buffer, start: number): number {
  let index = start + 1;
  // Jumps from quote to quote are nearly free, unless there are a great many of them.
  for (let jump = 0; jump < MAX_JUMPS; jump += 1) {
    const quote = body.indexOf(QUOTE, index);
    if (quote < 0) return body.length;
    let before = quote - 1;
    while (before >= index && body[before] === BACKSLASH) before -= 1;
    if ((quote - before) % 2 === 1) return quote;
    index = quote + 1;
  }
  while (index < body.length && body[index] !== QUOTE) index += body[index] === BACKSLASH ? 2 : 1;
  return index;
}
