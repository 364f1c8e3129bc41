/** What a terminal would show of written text: carriage returns, cursor moves, erasing and colours, in a bounded number of lines. */
import { StyleState, type TextSource, type TextStyle } from "./text-style.ts";

/** A piece of a line that looks the same throughout. */
export interface Segment {
  readonly text: string;
  readonly style: TextStyle;
}

/** One line. */
export interface TerminalLine {
  segments: Segment[];
  /** UTF-16 units. */
  length: number;
}

/** Limits of {@link TerminalText}. */
export interface TerminalLimits {
  /** Lines kept; the oldest go first. */
  lines: number;
  /** UTF-16 units of a line; what goes beyond is dropped. */
  lineLength: number;
}

const DEFAULT_LIMITS: TerminalLimits = { lines: 5_000, lineLength: 100_000 };
/** Lines are dropped in batches, so that each new one does not move all others. */
const DROP_BATCH = 500;
/** How far "the screen" goes up from the last line, for sequences that name places on it. */
const SCREEN_LINES = 24;
const LONGEST_SEQUENCE = 4096;

/** Text, a control sequence (CSI), a command (OSC), another escape, or one control character. */
// oxlint-disable-next-line no-control-regex -- control characters are what this is about
const TOKEN = /[^\u0000-\u001f\u007f]+|\u001b\[([0-?]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[^[\]]|[\s\S]/g;
// oxlint-disable-next-line no-control-regex
const BEGUN_SEQUENCE = /\u001b(?:\[[0-?]*[ -/]*|\][^\u0007\u001b]*\u001b?)?$/;

/** A terminal without a screen: lines that grow, and a cursor in them. */
export class TerminalText {
  /** Lines that went because there were too many. */
  droppedLines = 0;
  /** UTF-16 units that went because their line was too long. */
  droppedCharacters = 0;
  #lines: TerminalLine[] = [emptyLine()];
  #firstChanged = 0;
  #row = 0;
  #column = 0;
  #style = new StyleState();
  /** The beginning of a sequence whose end has not come yet. */
  #begun = "";
  readonly #limits: TerminalLimits;

  constructor(limits: Partial<TerminalLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** The lines as of now; the last is empty where the text ends in a line feed. */
  get lines(): readonly TerminalLine[] {
    return this.#lines;
  }

  /** The visible text. */
  get text(): string {
    return this.#lines.map((line) => line.segments.map((segment) => segment.text).join("")).join("\n");
  }

  /** The first line that has changed since the last call, as lines are counted now; their number where none has. */
  takeFirstChanged(): number {
    const first = Math.min(this.#firstChanged, this.#lines.length);
    this.#firstChanged = this.#lines.length;
    return first;
  }

  /** Writes text; a control sequence may be cut anywhere between two calls. */
  write(text: string, source: TextSource): void {
    let whole = this.#begun + text;
    const begun = BEGUN_SEQUENCE.exec(whole)?.[0] ?? "";
    this.#begun = begun.length < LONGEST_SEQUENCE ? begun : "";
    whole = whole.slice(0, whole.length - begun.length);
    for (const [token, parameters, final] of whole.matchAll(TOKEN)) {
      if (final !== undefined) this.#control(final, parameters ?? "");
      else if (token === "\n") this.#newLine();
      else if (token === "\r") this.#column = 0;
      else if (token === "\b") this.#column = Math.max(0, this.#column - 1);
      else if (token === "\t" || (token >= " " && token !== "\u007f")) this.#put(token, this.#style.styleFor(source));
    }
    this.#dropOldest();
  }

  #newLine(): void {
    this.#row += 1;
    this.#column = 0;
    this.#growTo(this.#row);
  }

  #put(text: string, style: TextStyle): void {
    const line = this.#lineAt(this.#row);
    const room = Math.max(0, this.#limits.lineLength - this.#column);
    this.droppedCharacters += Math.max(0, text.length - room);
    const shown = text.length > room ? text.slice(0, room) : text;
    if (this.#column > line.length) append(line, " ".repeat(this.#column - line.length), style);
    if (this.#column === line.length) {
      append(line, shown, style);
    } else {
      const head = slice(line, 0, this.#column);
      const tail = slice(line, this.#column + shown.length, line.length);
      line.segments = joined([...head, { text: shown, style }, ...tail]);
      line.length = Math.max(line.length, this.#column + shown.length);
    }
    this.#column += shown.length;
    this.#touch(this.#row);
  }

  /** @see https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ (8.3); what a log has no use for is ignored. */
  #control(final: string, parameters: string): void {
    const numbers = parameters.split(";").map(Number);
    const count = Math.max(1, numbers[0] || 1);
    switch (final) {
      case "m":
        return this.#style.apply(parameters);
      case "A":
        return this.#moveTo(this.#row - count, this.#column);
      case "B":
        return this.#moveTo(this.#row + count, this.#column);
      case "C":
        return this.#moveTo(this.#row, this.#column + count);
      case "D":
        return this.#moveTo(this.#row, this.#column - count);
      case "E":
        return this.#moveTo(this.#row + count, 0);
      case "F":
        return this.#moveTo(this.#row - count, 0);
      case "G":
        return this.#moveTo(this.#row, count - 1);
      case "H":
      case "f":
        return this.#moveTo(this.#screenTop + count - 1, Math.max(1, numbers[1] || 1) - 1);
      case "K":
        return this.#eraseInLine(numbers[0] || 0);
      case "J":
        return this.#eraseBelow(numbers[0] || 0);
    }
  }

  get #screenTop(): number {
    return Math.max(0, this.#lines.length - SCREEN_LINES);
  }

  #moveTo(row: number, column: number): void {
    this.#row = Math.min(Math.max(0, row), this.#lines.length - 1 + SCREEN_LINES);
    this.#column = Math.min(Math.max(0, column), this.#limits.lineLength);
    this.#growTo(this.#row);
  }

  /** 0: from the cursor to the end; 1: from the beginning to the cursor; 2: all. */
  #eraseInLine(mode: number): void {
    const line = this.#lineAt(this.#row);
    const keptTail = mode === 1 ? slice(line, this.#column + 1, line.length) : [];
    const blanks = mode === 1 ? " ".repeat(Math.min(this.#column + 1, line.length)) : "";
    const head = mode === 0 ? slice(line, 0, this.#column) : [];
    const segments = blanks === "" ? head : [{ text: blanks, style: new StyleState().styleFor("stdout") }];
    line.segments = joined([...segments, ...keptTail]);
    line.length = lengthOf(line.segments);
    this.#touch(this.#row);
  }

  /** 0: from the cursor on; 2 and 3: the whole screen. */
  #eraseBelow(mode: number): void {
    if (mode === 0) this.#eraseInLine(0);
    if (mode !== 0 && mode !== 2 && mode !== 3) return;
    const first = mode === 0 ? this.#row + 1 : this.#screenTop;
    this.#lines.length = Math.min(this.#lines.length, Math.max(first, mode === 0 ? 1 : 0));
    this.#row = Math.min(this.#row, Math.max(0, this.#lines.length - (mode === 0 ? 1 : 0)));
    this.#growTo(this.#row);
    this.#touch(Math.max(0, first - 1));
  }

  #lineAt(row: number): TerminalLine {
    this.#growTo(row);
    return this.#lines[row] ?? emptyLine();
  }

  #growTo(row: number): void {
    while (this.#lines.length <= row) {
      this.#lines.push(emptyLine());
      this.#touch(this.#lines.length - 1);
    }
  }

  #touch(row: number): void {
    this.#firstChanged = Math.min(this.#firstChanged, row);
  }

  #dropOldest(): void {
    if (this.#lines.length <= this.#limits.lines + DROP_BATCH) return;
    const surplus = this.#lines.length - this.#limits.lines;
    this.#lines.splice(0, surplus);
    this.droppedLines += surplus;
    this.#row = Math.max(0, this.#row - surplus);
    // The lines that stay are the same as before; who shows them takes as many away at the top.
    this.#firstChanged = Math.max(0, this.#firstChanged - surplus);
  }
}

function emptyLine(): TerminalLine {
  return { segments: [], length: 0 };
}

function append(line: TerminalLine, text: string, style: TextStyle): void {
  if (text === "") return;
  const last = line.segments.at(-1);
  if (last?.style === style) line.segments[line.segments.length - 1] = { text: last.text + text, style };
  else line.segments.push({ text, style });
  line.length += text.length;
}

function slice(line: TerminalLine, from: number, to: number): Segment[] {
  const result: Segment[] = [];
  let start = 0;
  for (const { text, style } of line.segments) {
    const part = text.slice(Math.max(0, from - start), Math.max(0, to - start));
    if (part !== "") result.push({ text: part, style });
    start += text.length;
  }
  return result;
}

function joined(segments: Segment[]): Segment[] {
  const line = emptyLine();
  for (const { text, style } of segments) append(line, text, style);
  return line.segments;
}

function lengthOf(segments: Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.text.length, 0);
}
