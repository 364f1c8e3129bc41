/** Reads the error of an execution: what it says in one sentence, and which lines of the cell it points to. */

/** A line of the error's text. */
export interface TracebackLine {
  text: string;
  /** The line of this cell that it points to, from 1; null where it points elsewhere or nowhere. */
  cellLine: number | null;
}

/** An error, taken apart. */
export interface CellError {
  /** E.g. `ZeroDivisionError`; null where the text is no Python error. */
  name: string | null;
  /** What the error says, without its name. */
  message: string;
  /** Lines of this cell on the way to the error, from 1, each once; the innermost last. */
  cellLines: number[];
  /** The whole text. */
  lines: TracebackLine[];
}

/** `Cell In[3], line 2`, `Cell In[3], line 2, in f(a)`; older IPythons write `Input In [3], in <cell line: 2>()`. */
const FRAME = /^\s*(?:Cell In\s?|Input In )\[(\d+)\], (?:line (\d+)|in .*<cell line: (\d+)>)/;
const RULE = /^-{20,}$/;
const FILE_FRAME = /^\s*File .+(:\d+|line \d+)/;
/** Unindented, as no line of code below a frame is. */
const SENTENCE = /^([A-Za-z_][\w.]*)(?:: ?([\s\S]*))?$/;

/** Takes an error's text apart. The outermost frame is the cell's own, so its number tells this cell from those run before. */
export function readError(error: string): CellError {
  const texts = error.replace(/\n+$/, "").split("\n");
  const ownNumber = texts.map((text) => FRAME.exec(text)?.[1]).find((number) => number !== undefined);
  const lines = texts
    .filter((text) => !RULE.test(text))
    .map((text) => {
      const [, number, line, oldLine] = FRAME.exec(text) ?? [];
      return { text, cellLine: number !== undefined && number === ownNumber ? Number(line ?? oldLine) : null };
    });
  const cellLines = lines.map((line) => line.cellLine).filter((line) => line !== null);
  return { ...lastSentence(texts), cellLines: [...new Set(cellLines.toReversed())].toReversed(), lines };
}

/** The error itself is the first unindented text behind the last frame; its message may go over several lines. */
function lastSentence(texts: string[]): { name: string | null; message: string } {
  const frame = texts.findLastIndex((text) => FRAME.test(text) || FILE_FRAME.test(text));
  const start = texts.findIndex((text, index) => index > frame && /^[A-Za-z_][\w.]*(:|$)/.test(text));
  const [, name, message = ""] = (start < 0 ? null : SENTENCE.exec(texts.slice(start).join("\n"))) ?? [];
  // Without a frame it may be any sentence of the server's.
  const isName = name !== undefined && (frame >= 0 || /(Error|Exception|Warning|Interrupt|Exit)$/.test(name));
  return isName ? { name, message } : { name: null, message: texts.join("\n") };
}
