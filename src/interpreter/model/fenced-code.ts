/** Finds the code that is to run in a reply's text: a block fenced with ```python, while it is being written. */

/** A piece of a reply, taken apart. */
export type FencedPart = { kind: "text"; text: string } | { kind: "code"; text: string };

const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*(python3?|py|ipython|tool_code)\b[^\n`]*$/i;
/** The beginning of a line that may still become an opening fence, or a closing one. */
const MAY_OPEN = /^ {0,3}(`{0,2}|~{0,2}|(`{3,}|~{3,})[^\n`]*)$/;
const MAY_CLOSE = /^ {0,3}(`*|~*)[ \t]*$/;

/** Takes text in pieces; after the first block of code nothing more is read, since what follows could only be a guess at its output. */
export class FenceScanner {
  #line = "";
  /** How much of the current line was given out already. */
  #given = 0;
  #fence: string | null = null;
  #isFirstLine = true;
  #isDone = false;

  /** Whether a block of code is complete. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether a block of code has begun and not ended. */
  get isOpen(): boolean {
    return this.#fence !== null && !this.#isDone;
  }

  push(piece: string): FencedPart[] {
    const parts: FencedPart[] = [];
    for (const [index, part] of piece.split("\n").entries()) {
      if (this.#isDone) break;
      if (index > 0) this.#endLine(parts);
      if (this.#isDone) break;
      this.#line += part;
      if (!this.#isHeld()) this.#give(parts);
    }
    return parts;
  }

  /** What was held back, at the end of the reply. */
  finish(): FencedPart[] {
    const parts: FencedPart[] = [];
    if (this.#isDone) return parts;
    if (this.#isClosing()) this.#isDone = true;
    else if (this.#fence === null && OPENING.test(this.#line)) return parts;
    else this.#give(parts);
    return parts;
  }

  #endLine(parts: FencedPart[]): void {
    const opening = this.#fence === null ? OPENING.exec(this.#line) : null;
    if (opening !== null) {
      this.#fence = opening[1] ?? "```";
      this.#isFirstLine = true;
    } else if (this.#isClosing()) {
      this.#isDone = true;
    } else {
      this.#give(parts);
      // The line break before the closing fence is no part of the code, so a line brings the one in front of it.
      if (this.#fence === null) parts.push({ kind: "text", text: "\n" });
      else this.#isFirstLine = false;
    }
    this.#line = "";
    this.#given = 0;
  }

  #give(parts: FencedPart[]): void {
    const rest = this.#line.slice(this.#given);
    if (this.#fence === null) {
      if (rest !== "") parts.push({ kind: "text", text: rest });
    } else {
      const lineBreak = this.#given === 0 && !this.#isFirstLine ? "\n" : "";
      if (lineBreak + rest !== "") parts.push({ kind: "code", text: lineBreak + rest });
    }
    this.#given = this.#line.length;
  }

  /** Whether the line so far may turn out to be a fence. */
  #isHeld(): boolean {
    return this.#given === 0 && (this.#fence === null ? MAY_OPEN : MAY_CLOSE).test(this.#line);
  }

  #isClosing(): boolean {
    if (this.#fence === null) return false;
    const closing = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(this.#line)?.[1];
    return closing !== undefined && closing.startsWith(this.#fence);
  }
}

/**
 * The code of a reply that ends with a fenced block, or null.
 * A block with words behind it is for the reader; a model that waits for output stops at its fence.
 */
export function lastFencedCode(text: string): { before: string; code: string } | null {
  const match = /^([^]*?(?:^|\n)) {0,3}```[ \t]*(?:python3?|py|ipython|tool_code)[^\n`]*\n([^]*?)\n? {0,3}```\s*$/i.exec(text);
  const [, before = "", code = ""] = match ?? [];
  return match === null || code.includes("```") || code.trim() === "" ? null : { before: before.trimEnd(), code };
}
