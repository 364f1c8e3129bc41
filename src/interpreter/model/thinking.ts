/** Takes out what a reasoning model writes for itself (`<think>…</think>` at the start of a reply): nobody's answer, and no code to run. */

const OPEN = "<think>";
const CLOSE = "</think>";

/** Passes text on as it comes, without the thoughts at its beginning. */
export class ThoughtFilter {
  #state: "beginning" | "thinking" | "after" | "through" = "beginning";
  #held = "";

  /** @returns what is to be shown of this piece. */
  push(piece: string): string {
    if (this.#state === "through") return piece;
    this.#held += piece;
    if (this.#state === "beginning") {
      const text = this.#held.trimStart();
      if (text === "" || (text.length < OPEN.length && OPEN.startsWith(text))) return "";
      this.#state = text.startsWith(OPEN) ? "thinking" : "through";
    }
    if (this.#state === "thinking") {
      const end = this.#held.indexOf(CLOSE);
      if (end === -1) return "";
      this.#held = this.#held.slice(end + CLOSE.length);
      this.#state = "after";
    }
    if (this.#state === "after") {
      this.#held = this.#held.trimStart();
      if (this.#held === "") return "";
    }
    return this.flush();
  }

  /** What is still held at the end; thoughts that never ended stay hidden. */
  flush(): string {
    if (this.#state === "thinking") return "";
    const rest = this.#held;
    this.#held = "";
    this.#state = "through";
    return rest;
  }
}
