/** Lines that were typed ahead or come from a pipe, put together to cells. */
import { continuesBlock, scanCell } from "./completeness.ts";

/** Takes lines, gives cells. */
export class CellQueue {
  readonly #lines: string[] = [];

  push(line: string): void {
    this.#lines.push(line);
  }

  /**
   * The next cell, or null where its end is not there yet.
   * @param isEnd Whether no more lines will come.
   */
  next(isEnd: boolean): string | null {
    let text = "";
    for (const [index, line] of this.#lines.entries()) {
      if (text === "" && (line.trim() === "" || line.startsWith("/"))) {
        if (line.trim() === "") continue;
        return this.#take(index + 1, line);
      }
      if (text !== "" && scanCell(text).kind === "block" && !continuesBlock(line)) return this.#take(index, text);
      text = text === "" ? line : `${text}\n${line}`;
      if (scanCell(text).kind === "complete" && !this.#goesOn(text, index)) return this.#take(index + 1, text);
    }
    return isEnd && text !== "" ? this.#take(this.#lines.length, text) : null;
  }

  /** The next line as it is, for code that asks for input. */
  takeLine(): string | null {
    return this.#lines.shift() ?? null;
  }

  /** What is left: the beginning of a cell. */
  takeRest(): string {
    return this.#lines.splice(0).join("\n");
  }

  /** An empty line ends a block for somebody who types; a script has them inside its functions too. */
  #goesOn(text: string, index: number): boolean {
    if (!text.includes("\n")) return false;
    const next = this.#lines.slice(index + 1).find((line) => line.trim() !== "");
    return next !== undefined && /^[ \t]/.test(next);
  }

  #take(count: number, cell: string): string {
    this.#lines.splice(0, count);
    return cell;
  }
}
