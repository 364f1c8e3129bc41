/** Ranges of bytes in a file, in ascending order: where the lines of one execution lie among those of others. */

/** From `start` up to, not including, `end`. */
export interface Range {
  start: number;
  end: number;
}

/** Ranges that do not overlap; neighbours become one. */
export class Ranges {
  #ranges: Range[] = [];

  get all(): readonly Range[] {
    return this.#ranges;
  }

  /** How many bytes they hold together. */
  get size(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Adds one that begins where the last one ends, or behind that. */
  add(start: number, end: number): void {
    const last = this.#ranges.at(-1);
    if (last !== undefined && last.end === start) last.end = end;
    else this.#ranges.push({ start, end });
  }

  /** Takes one out that lies within one of them; otherwise does nothing. */
  remove(start: number, end: number): void {
    const at = this.#ranges.findLastIndex((range) => range.start <= start);
    const range = this.#ranges[at];
    if (range === undefined || end > range.end) return;
    const rest = [
      { start: range.start, end: start },
      { start: end, end: range.end },
    ];
    this.#ranges.splice(at, 1, ...rest.filter((part) => part.start < part.end));
  }

  /** The first range, or the rest of it, at or behind a position. */
  from(position: number): Range | undefined {
    let low = 0;
    for (let high = this.#ranges.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.end ?? 0) <= position) low = middle + 1;
      else high = middle;
    }
    const range = this.#ranges[low];
    return range && { start: Math.max(range.start, position), end: range.end };
  }

  /** Puts others in their place. */
  replaceBy(ranges: Ranges): void {
    this.#ranges = ranges.#ranges;
  }
}
