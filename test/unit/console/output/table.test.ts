/** Tables out of texts. */
import { describe, expect, it } from "vitest";
import { isNumeric, parseCsv, parseFrameText } from "../../../../console/output/table.ts";

describe("comma-separated values", () => {
  it("have a header and rows", () => {
    expect(parseCsv("a,b\n1,2\n3,4\n")).toEqual({
      header: ["a", "b"],
      rows: [
        ["1", "2"],
        ["3", "4"],
      ],
      labelColumns: 0,
      note: "",
    });
  });

  it("may be quoted, with commas, line ends and quotes inside", () => {
    expect(parseCsv('a,b\r\n"1,5","say ""hi""\nthere"\r\n,\r\n')?.rows).toEqual([
      ["1,5", 'say "hi"\nthere'],
      ["", ""],
    ]);
  });

  it("with an unnamed first column have labels there", () => {
    expect(parseCsv(",x\n0,1\n")).toMatchObject({ labelColumns: 1 });
  });

  it("are cut where there are too many, and say so", () => {
    const table = parseCsv(`a\n${"1\n".repeat(50)}`, 10);
    expect(table?.rows.length).toBe(10);
    expect(table?.note).toBe("The first 10 rows.");
  });

  it("that are nothing are no table", () => {
    expect(parseCsv("")).toBeNull();
  });
});

describe("a data frame's text", () => {
  it("is a table with the index as labels", () => {
    expect(parseFrameText("       city  people\n0    Berlin     3.7\n1  New York     8.3\n2     Tokyo    13.9")).toEqual({
      header: ["", "city", "people"],
      rows: [
        ["0", "Berlin", "3.7"],
        ["1", "New York", "8.3"],
        ["2", "Tokyo", "13.9"],
      ],
      labelColumns: 1,
      note: "",
    });
  });

  it("keeps the line that pandas puts below a long one", () => {
    const table = parseFrameText("     a\n0    0\n..  ..\n99  99\n\n[100 rows x 1 columns]");
    expect(table?.note).toBe("[100 rows x 1 columns]");
    expect(table?.rows).toEqual([
      ["0", "0"],
      ["..", ".."],
      ["99", "99"],
    ]);
  });

  it.each([
    "hello",
    "  indented\n  code",
    "a  b\n1  2",
    "0    1\n1    2\nName: a, dtype: int64",
    "   a  b\n0  1  2\n1  longer line",
    "  x\n   \n y ",
  ])("is not seen in %j", (text) => {
    expect(parseFrameText(text)).toBeNull();
  });
});

describe("a column", () => {
  it("is of numbers where every value is one", () => {
    const table = {
      header: ["a", "b", "c"],
      rows: [
        ["1", "x", ""],
        ["-2.5e-3", "2", ""],
        ["NaN", "3", ""],
      ],
      labelColumns: 0,
      note: "",
    };
    expect([0, 1, 2].map((column) => isNumeric(table, column))).toEqual([true, false, false]);
  });
});
