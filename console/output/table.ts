/** Tables out of text: comma-separated values, and data frames as pandas prints them. */

/** A table of texts. */
export interface Table {
  header: string[];
  rows: string[][];
  /** How many columns at the left are labels rather than data. */
  labelColumns: number;
  /** What stands below, e.g. `[100 rows x 4 columns]`; empty where there is nothing. */
  note: string;
}

/** Rows shown of a table; more would slow the page and help nobody. */
export const MOST_ROWS = 500;

/**
 * Reads comma-separated values; quotes may hold commas, line ends and doubled quotes.
 * @returns null where there is not even a header.
 * @see https://www.rfc-editor.org/rfc/rfc4180
 */
export function parseCsv(text: string, mostRows: number = MOST_ROWS): Table | null {
  const records: string[][] = [];
  let record: string[] = [];
  let isCut = false;
  for (const [, quoted, plain, end] of text.replace(/^\uFEFF/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    record.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    if (record.length > 1 || record[0] !== "") records.push(record);
    record = [];
    if (records.length > mostRows + 1) {
      isCut = true;
      break;
    }
  }
  const [header, ...rows] = records;
  if (header === undefined) return null;
  const labelColumns = header[0] === "" ? 1 : 0;
  return { header, rows: rows.slice(0, mostRows), labelColumns, note: isCut ? `The first ${mostRows} rows.` : "" };
}

/**
 * Reads a data frame as pandas prints it: every line has one width, and two blanks in all lines part two columns.
 * @returns null for anything else.
 */
export function parseFrameText(text: string): Table | null {
  const lines = text.replace(/\n+$/, "").split("\n");
  let note = "";
  if (/^\[\d+ rows x \d+ columns\]$/.test(lines.at(-1) ?? "") && lines.at(-2) === "") {
    note = lines.at(-1) ?? "";
    lines.splice(-2);
  }
  const [head = "", ...body] = lines;
  const hasOneWidth = body.every((line) => line.length === head.length);
  if (body.length === 0 || !/^\s+\S/.test(head) || !hasOneWidth || body.some((line) => /^\s*$/.test(line))) return null;
  const starts = columnStarts(lines);
  if (starts.length < 2) return null;
  const cells = lines.map((line) => starts.map((start, index) => line.slice(start, starts[index + 1] ?? line.length).trim()));
  const [header = [], ...rows] = cells;
  // Without a blank corner it is no index beside columns.
  if (header[0] !== "" || header.slice(1).some((name) => name === "")) return null;
  return { header, rows, labelColumns: 1, note };
}

/** Where columns begin: at 0, and behind each run of two or more places that are blank in every line. */
function columnStarts(lines: string[]): number[] {
  const width = lines[0]?.length ?? 0;
  const isBlank = Array.from({ length: width }, (_, place) => lines.every((line) => line[place] === " "));
  const starts = [0];
  let run = 0;
  for (let place = 0; place < width; place += 1) {
    if (isBlank[place] === true) {
      run += 1;
      continue;
    }
    if (run >= 2 && place - run > 0) starts.push(place - run);
    run = 0;
  }
  return starts;
}

/** Whether every value of a column reads as a number, so that it is set flush right. */
export function isNumeric(table: Table, column: number): boolean {
  const values = table.rows.map((row) => row[column] ?? "").filter((value) => value !== "" && value !== "..." && value !== "NaN");
  return values.length > 0 && values.every((value) => /^[-+]?(\d[\d_,]*)?\.?\d+(e[-+]?\d+)?%?$/i.test(value));
}
