/** How a piece of terminal text looks: the SGR sequences ("colours") of ECMA-48 as classes, so that a theme can choose the shades. */

/** Which stream a text came from; `input` is what somebody answered. */
export type TextSource = "stdout" | "stderr" | "input";

/** The look of a piece of text. Equal looks are the same object. */
export interface TextStyle {
  readonly source: TextSource;
  /** Class names, separated by spaces. */
  readonly classes: string;
  /** A CSS colour where it is none of the 16 that the theme names. */
  readonly color: string | null;
  readonly background: string | null;
}

type Flag = "bold" | "dim" | "italic" | "underline" | "strike" | "inverse" | "hidden";

/** The attributes that SGR sequences have set so far. */
export class StyleState {
  #flags = new Set<Flag>();
  #color: string | null = null;
  #background: string | null = null;

  /** The look of text from a source as of now. */
  styleFor(source: TextSource): TextStyle {
    const classes = [...this.#flags].toSorted().map((flag) => `t-${flag}`);
    const color = this.#color;
    const background = this.#background;
    if (color !== null && !color.startsWith("#")) classes.push(`t-fg-${color}`);
    if (background !== null && !background.startsWith("#")) classes.push(`t-bg-${background}`);
    return interned({
      source,
      classes: classes.join(" "),
      color: color?.startsWith("#") === true ? color : null,
      background: background?.startsWith("#") === true ? background : null,
    });
  }

  /**
   * Takes the parameters of one SGR sequence, e.g. `1;31`.
   * @see https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ (8.3.117)
   */
  apply(parameters: string): void {
    const codes = parameters.split(/[;:]/).map((part) => (part === "" ? 0 : Number(part)));
    for (let index = 0; index < codes.length; index += 1) {
      const code = codes[index] ?? 0;
      if (code === 38 || code === 48) {
        const { color, used } = extendedColor(codes.slice(index + 1));
        if (code === 38) this.#color = color ?? this.#color;
        else this.#background = color ?? this.#background;
        index += used;
      } else {
        this.#applyOne(code);
      }
    }
  }

  #applyOne(code: number): void {
    const flag = FLAGS[code];
    if (code === 0) {
      this.#flags = new Set();
      this.#color = this.#background = null;
    } else if (flag !== undefined) this.#flags.add(flag);
    else if (code === 22) for (const off of ["bold", "dim"] as const) this.#flags.delete(off);
    else if (code >= 23 && code <= 29) this.#flags.delete(FLAGS[code - 20] ?? "hidden");
    else if (code >= 30 && code <= 37) this.#color = String(code - 30);
    else if (code === 39) this.#color = null;
    else if (code >= 40 && code <= 47) this.#background = String(code - 40);
    else if (code === 49) this.#background = null;
    else if (code >= 90 && code <= 97) this.#color = String(code - 90 + 8);
    else if (code >= 100 && code <= 107) this.#background = String(code - 100 + 8);
  }
}

const FLAGS: Record<number, Flag | undefined> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underline",
  7: "inverse",
  8: "hidden",
  9: "strike",
};

/** `5;N` is one of 256 colours, `2;R;G;B` any; `used` counts the parameters that belong to it. */
function extendedColor(codes: number[]): { color: string | null; used: number } {
  if (codes[0] === 5) return { color: paletteColor(codes[1] ?? 0), used: 2 };
  if (codes[0] === 2) return { color: hex(codes.slice(1, 4)), used: 4 };
  return { color: null, used: codes.length };
}

/** The first 16 are the theme's; then a 6 by 6 by 6 cube; then 24 greys. */
function paletteColor(number: number): string | null {
  if (!Number.isInteger(number) || number < 0 || number > 255) return null;
  if (number < 16) return String(number);
  if (number >= 232) return hex(Array<number>(3).fill(8 + (number - 232) * 10));
  const cube = number - 16;
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  return hex([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]);
}

function hex(parts: number[]): string | null {
  if (parts.length < 3 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return null;
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

const known = new Map<string, TextStyle>();
const MOST_KNOWN = 4096;

function interned(style: TextStyle): TextStyle {
  const key = `${style.source} ${style.classes} ${style.color} ${style.background}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  // Code that paints with millions of colours must not fill the memory; a look that is made twice does no harm.
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(key, style);
  return style;
}
