/** Terminal text: what a terminal would show is what the page shows. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TerminalText } from "../../../../console/output/terminal-text.ts";

const ESC = "\u001b";

function shown(...texts: string[]): string {
  const terminal = new TerminalText();
  for (const text of texts) terminal.write(text, "stdout");
  return terminal.text;
}

function stylesOf(...texts: string[]): [text: string, classes: string, color: string | null][] {
  const terminal = new TerminalText();
  for (const text of texts) terminal.write(text, "stdout");
  return terminal.lines.flatMap((line) =>
    line.segments.map(({ text, style }) => [text, style.classes, style.color] as [string, string, string | null]),
  );
}

describe("plain text", () => {
  it("stays as it is, however it is cut", () => {
    expect(shown("one\ntwo\n", "thr", "ee")).toBe("one\ntwo\nthree");
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z \n]*$/), { maxLength: 20 }), (parts) => {
        expect(shown(...parts)).toBe(parts.join(""));
      }),
    );
  });

  it("keeps tabs, so that a copy of it is what was written", () => {
    expect(shown("a\tb\n")).toBe("a\tb\n");
  });

  it("of two streams shares one cursor, each with a look of its own", () => {
    const terminal = new TerminalText();
    terminal.write("out ", "stdout");
    terminal.write("err\n", "stderr");
    expect(terminal.text).toBe("out err\n");
    expect(terminal.lines[0]?.segments.map((segment) => segment.style.source)).toEqual(["stdout", "stderr"]);
  });
});

describe("a carriage return", () => {
  it("goes back to the beginning of the line and writes over what is there", () => {
    expect(shown("working 1", "\rworking 2", "\rdone")).toBe("doneing 2");
    expect(shown("  5%|\r 50%|\r100%|\n")).toBe("100%|\n");
  });

  it("before a line feed changes nothing", () => {
    expect(shown("one\r\ntwo\r\n")).toBe("one\ntwo\n");
  });

  it("leaves the colours of what is not written over", () => {
    expect(stylesOf(`${ESC}[31mred${ESC}[0m plain\rRE`)).toEqual([
      ["RE", "", null],
      ["d", "t-fg-1", null],
      [" plain", "", null],
    ]);
  });
});

describe("control sequences", () => {
  it("move the cursor up and down, as nested progress bars do", () => {
    expect(shown(`outer 0\ninner 0${ESC}[A\router 1\n\rinner 1`)).toBe("outer 1\ninner 1");
    expect(shown(`a\nb\nc${ESC}[2Fx`)).toBe("x\nb\nc");
  });

  it("move along the line, and fill what they jump over", () => {
    expect(shown(`ab${ESC}[2Dx`)).toBe("xb");
    expect(shown(`a${ESC}[3Cb`)).toBe("a   b");
    expect(shown(`abc${ESC}[2Gx`)).toBe("axc");
  });

  it("erase in the line", () => {
    expect(shown(`abcdef\r${ESC}[K`)).toBe("");
    expect(shown(`abcdef${ESC}[3D${ESC}[K`)).toBe("abc");
    expect(shown(`abcdef${ESC}[3D${ESC}[1K`)).toBe("    ef");
    expect(shown(`abcdef${ESC}[2Kx`)).toBe("      x");
  });

  it("clear the screen, as programs do that draw anew", () => {
    expect(shown(`one\ntwo\n${ESC}[2J${ESC}[Hthree`)).toBe("three");
    expect(shown(`one\ntwo\nthree${ESC}[1A\r${ESC}[J`)).toBe("one\n");
  });

  it("may be cut anywhere", () => {
    const text = `a\n${ESC}[1;31mred${ESC}[0m${ESC}]8;;http://x${ESC}\\link${ESC}]8;;\u0007\rb${ESC}[K\n`;
    const whole = shown(text);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 6 }), (cuts) => {
        const places = [0, ...cuts, text.length].toSorted((one, other) => one - other);
        expect(shown(...places.slice(1).map((place, index) => text.slice(places[index], place)))).toBe(whole);
      }),
    );
  });

  it("that nobody knows are not shown", () => {
    expect(shown(`a${ESC}[?25lb${ESC}[6nc${ESC}(Bd\u0007e${ESC}7f`)).not.toContain(ESC);
    expect(shown(`a${ESC}[?25lb`)).toBe("ab");
  });

  it("take a backspace as a step back", () => {
    expect(shown("abc\b\bX")).toBe("aXc");
  });
});

describe("colours", () => {
  it("become classes, so that the theme chooses the shade", () => {
    expect(stylesOf(`${ESC}[1;31mbold red${ESC}[22;39m plain ${ESC}[97;44mbright`)).toEqual([
      ["bold red", "t-bold t-fg-1", null],
      [" plain ", "", null],
      ["bright", "t-fg-15 t-bg-4", null],
    ]);
  });

  it("beyond the sixteen are themselves", () => {
    expect(stylesOf(`${ESC}[38;5;33mpalette`)).toEqual([["palette", "", "#0087ff"]]);
    expect(stylesOf(`${ESC}[38;5;250mgrey`)).toEqual([["grey", "", "#bcbcbc"]]);
    expect(stylesOf(`${ESC}[38;2;1;2;255mtrue`)).toEqual([["true", "", "#0102ff"]]);
    expect(stylesOf(`${ESC}[38;5;9mnamed`)).toEqual([["named", "t-fg-9", null]]);
  });

  it("that are no colours change nothing", () => {
    expect(stylesOf(`${ESC}[38;5;999mx${ESC}[38;2;1my`)).toEqual([["xy", "", null]]);
  });

  it("go on in the next text", () => {
    expect(stylesOf(`${ESC}[32mgreen`, " still")).toEqual([["green still", "t-fg-2", null]]);
  });
});

describe("limits", () => {
  it("drop the oldest lines and say how many", () => {
    const terminal = new TerminalText({ lines: 100 });
    for (let line = 0; line < 2_000; line += 1) terminal.write(`line ${line}\n`, "stdout");
    expect(terminal.lines.length).toBeLessThanOrEqual(600);
    expect(terminal.droppedLines + terminal.lines.length).toBe(2_001);
    expect(terminal.text.endsWith("line 1999\n")).toBe(true);
  });

  it("drop the end of a line without an end", () => {
    const terminal = new TerminalText({ lineLength: 10 });
    terminal.write("0123456789abc\nnext", "stdout");
    expect(terminal.text).toBe("0123456789\nnext");
    expect(terminal.droppedCharacters).toBe(3);
  });

  it("hold for whatever is written", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.stringMatching(/^\[[0-9;]{0,6}[A-HJKm]$/).map((rest) => ESC + rest),
      fc.constantFrom("\n", "\r"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
        const terminal = new TerminalText({ lines: 20, lineLength: 40 });
        for (const text of pieces) terminal.write(text, "stdout");
        // One expectation a run: thousands of them are slow.
        const isSound = terminal.lines.every(
          (line) => line.length <= 40 && line.length === line.segments.reduce((sum, { text }) => sum + text.length, 0),
        );
        expect([isSound, terminal.lines.length <= 20 + 500]).toEqual([true, true]);
      }),
    );
  });
});

describe("changes", () => {
  it("are told from the first changed line on, once", () => {
    const terminal = new TerminalText();
    terminal.write("one\ntwo\n", "stdout");
    expect(terminal.takeFirstChanged()).toBe(0);
    expect(terminal.takeFirstChanged()).toBe(3);
    terminal.write("three\n", "stdout");
    expect(terminal.takeFirstChanged()).toBe(2);
    terminal.write(`${ESC}[3Ax`, "stdout");
    expect(terminal.takeFirstChanged()).toBe(0);
  });

  it("are no more than the new lines where the oldest are dropped", () => {
    const terminal = new TerminalText({ lines: 100 });
    terminal.write("line\n".repeat(590), "stdout");
    terminal.takeFirstChanged();
    const droppedBefore = terminal.droppedLines;
    terminal.write("new\n".repeat(20), "stdout");
    const dropped = terminal.droppedLines - droppedBefore;
    expect(dropped).toBeGreaterThan(400);
    expect(terminal.takeFirstChanged()).toBe(Math.max(0, 591 - dropped - 1));
  });
});
