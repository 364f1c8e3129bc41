/** Guesses, while somebody types Python, whether a cell is complete or Enter should begin another line. */

/** What a scan of the text so far shows. */
export interface CellState {
  /** `open`: more has to come; `block`: an empty line, or one that is not indented, ends it. */
  kind: "complete" | "block" | "open";
  /** What a next line would begin with. */
  indent: string;
}

/**
 * Scans a cell.
 * @param text All lines so far.
 */
export function scanCell(text: string): CellState {
  const { isOpen, code } = stripLiterals(text);
  const lastLine = text.split("\n").at(-1) ?? "";
  const codeLines = code.split("\n");
  const lastCode = codeLines.at(-1) ?? "";
  const indent = /^[ \t]*/.exec(lastLine)?.[0] ?? "";
  if (isOpen) return { kind: "open", indent };
  if (opensBlock(lastCode)) return { kind: "open", indent: `${indent}    ` };
  if (lastCode.endsWith("\\") || lastCode.trimStart().startsWith("@")) return { kind: "open", indent };
  const next = /^\s+(return|pass|break|continue|raise)\b/.test(lastCode) ? indent.slice(0, -4) : indent;
  // Another line of a block may follow; one that is not indented has ended it.
  const isInBlock = text.startsWith("%%") || (codeLines.some(opensBlock) && /^[ \t]/.test(lastLine));
  return { kind: isInBlock && lastLine.trim() !== "" ? "block" : "complete", indent: next };
}

/** Whether a line goes on with the block before it. */
export function continuesBlock(line: string): boolean {
  return line.trim() === "" || /^[ \t]/.test(line) || /^(elif|else|except|finally)\b/.test(line);
}

function opensBlock(codeLine: string): boolean {
  return /:\s*$/.test(codeLine);
}

/** The text without strings and comments, and whether a bracket or a long string is still open. */
function stripLiterals(text: string): { isOpen: boolean; code: string } {
  let depth = 0;
  let code = "";
  for (let index = 0; index < text.length;) {
    const rest = text.slice(index, index + 3);
    const character = rest.charAt(0);
    if (character === "#") {
      const end = text.indexOf("\n", index);
      index = end === -1 ? text.length : end;
    } else if (character === '"' || character === "'") {
      const quote = rest === character.repeat(3) ? rest : character;
      const end = endOfString(text, index + quote.length, quote);
      if (end === null) return { isOpen: true, code };
      code += '""';
      index = end;
    } else {
      if ("([{".includes(character)) depth += 1;
      if (")]}".includes(character)) depth -= 1;
      code += character;
      index += 1;
    }
  }
  return { isOpen: depth > 0, code };
}

/** Where a string ends, or null for one that is open; a short one ends with its line, closed or not. */
function endOfString(text: string, start: number, quote: string): number | null {
  for (let index = start; index < text.length; index += 1) {
    if (text[index] === "\\") index += 1;
    else if (text.startsWith(quote, index)) return index + quote.length;
    else if (text[index] === "\n" && quote.length === 1) return index;
  }
  return quote.length === 1 ? text.length : null;
}
