/** Reads the code out of a call's arguments: while they are still being written, and where they are not quite JSON. */

/** What could be read. */
export type ReadArgument = { code: string } | { problem: string };

/** Follows arguments as they are written and gives the code in them. */
export class CodeArgumentReader {
  #text = "";
  #position = -1;
  #code = "";
  #isClosed = false;

  /** @returns the code that this piece adds. */
  push(piece: string): string {
    this.#text += piece;
    if (this.#position === -1) {
      const start = CODE_START.exec(this.#text);
      if (start === null) return "";
      this.#position = start.index + start[0].length;
    }
    const before = this.#code.length;
    this.#decode();
    return this.#code.slice(before);
  }

  /** The code, once all is there; else a sentence for the model. */
  finish(): ReadArgument {
    const parsed = parse(this.#text);
    if ("value" in parsed) {
      const code = codeOf(parsed.value);
      if (code === null) return { problem: "The arguments have no code." };
      return code.trim() === "" ? { problem: "The code is empty." } : { code };
    }
    if (this.#isClosed && AFTER_CODE.test(this.#text.slice(this.#position)) && this.#code.trim() !== "") return { code: this.#code };
    const plain = this.#text.trim();
    // Some models write the code itself where its JSON should be.
    if (this.#position === -1 && plain !== "" && !/^[{["]/.test(plain)) return { code: withoutFence(plain) };
    return { problem: `The arguments are not valid JSON (${parsed.problem}).` };
  }

  /** Escapes that JSON does not know stay as they are, and so do line breaks: models forget to escape both. */
  #decode(): void {
    const text = this.#text;
    while (!this.#isClosed && this.#position < text.length) {
      const character = text.charAt(this.#position);
      if (character === '"') {
        this.#isClosed = true;
        this.#position += 1;
        return;
      }
      if (character !== "\\") {
        this.#code += character;
        this.#position += 1;
        continue;
      }
      const escape = /^\\(?:u([0-9a-fA-F]{4})|([^u]))/.exec(text.slice(this.#position, this.#position + 6));
      if (escape === null) {
        // The rest of the escape is still to come, or will never be one.
        if (text.length - this.#position < 6) return;
        this.#code += character;
        this.#position += 1;
        continue;
      }
      const [whole, hex, letter = ""] = escape;
      this.#code += hex === undefined ? (ESCAPES[letter] ?? whole) : String.fromCharCode(Number.parseInt(hex, 16));
      this.#position += whole.length;
    }
  }
}

/** Quotes inside another string are escaped, so this is the key itself. */
const CODE_START = /"code"\s*:\s*"/;
/** What may follow it: the end, or another key. Anything else means that the quote which closed it belongs to the code. */
const AFTER_CODE = /^\s*(\}\s*|,\s*"[^"]*"\s*:[^]*)?$/;
const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", '"': '"', "\\": "\\", "/": "/" };

function parse(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function codeOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  const code: unknown = typeof value === "object" && value !== null ? (value as { code?: unknown }).code : undefined;
  if (Array.isArray(code) && code.every((line) => typeof line === "string")) return code.join("\n");
  return typeof code === "string" ? code : null;
}

function withoutFence(text: string): string {
  return /^```[a-z0-9]*\n([^]*?)\n?```$/i.exec(text)?.[1] ?? text;
}
