/** How executions look in the console: output as it comes, figures, values, tracebacks. */
import { outputText, type Artifact, type ExecutionResult } from "../../client/index.ts";
import type { ArtifactSaver } from "../artifact-saver.ts";
import { hasColors, painter, type Terminal } from "../terminal.ts";
import { imageProtocol, inlineImage } from "./inline-image.ts";

/** An artifact that was saved. */
export interface SavedArtifact {
  artifact: Artifact;
  path: string;
}

/** Writes to the terminal; one for the whole console. */
export class Display {
  /** What was saved so far, newest last. */
  readonly saved: SavedArtifact[] = [];
  readonly paint: ReturnType<typeof painter>;
  readonly #terminal: Terminal;
  #isLineOpen = false;
  #isWaiting = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.paint = painter(hasColors(terminal.stdout, terminal.env));
  }

  /** What the code writes, as it is. */
  output(text: string, stream: "stdout" | "stderr"): void {
    if (text === "") return;
    this.#endWait();
    const isPlain = stream === "stdout" || !hasColors(this.#terminal.stdout, this.#terminal.env);
    this.#terminal.stdout.write(isPlain ? text : this.paint("red", text));
    this.#isLineOpen = !text.endsWith("\n");
  }

  /** A line of the console's own. */
  line(text: string): void {
    this.endLine();
    this.#terminal.stdout.write(`${text}\n`);
  }

  /** Shows that something is waited for, until anything else is shown; only where that can be taken back. */
  waiting(text: string): void {
    if (!hasColors(this.#terminal.stdout, this.#terminal.env)) return;
    this.endLine();
    this.#terminal.stdout.write(this.paint("dim", text));
    this.#isWaiting = true;
  }

  /** Begins a new line where code left one open. */
  endLine(): void {
    this.#endWait();
    if (this.#isLineOpen) this.#terminal.stdout.write("\n");
    this.#isLineOpen = false;
  }

  /** Saves an artifact and shows it as well as the terminal can. */
  async artifact(artifact: Artifact, saver: ArtifactSaver): Promise<void> {
    const path = await saver.save(artifact);
    this.saved.push({ artifact, path });
    this.endLine();
    const protocol = imageProtocol(this.#terminal);
    const isBase64 = artifact.file_content_encoding === "base64" && artifact.file_content !== undefined;
    const image = protocol !== null && isBase64 ? inlineImage(protocol, artifact.mime_type, artifact.file_content ?? "") : null;
    if (image !== null) this.#terminal.stdout.write(image);
    this.line(`${this.paint("cyan", `[${artifact.type}]`)} ${path}`);
  }

  /** The end of an execution: its value, or what went wrong. */
  result(result: ExecutionResult, number: number): void {
    for (const [level, tag, message] of result.log) this.line(this.paint("dim", `${level} ${tag}: ${message}`));
    const value = outputText(result);
    if (value !== null) {
      const label = `Out[${number}]:`;
      this.line(`${this.paint("red", label)}${value.includes("\n") ? "\n" : " "}${value}`);
    }
    if (result.error !== null) this.line(this.#traceback(result.error.trimEnd()));
    if (!result.state_kept) this.line(this.paint("yellow", "The Python variables are gone: the kernel was started anew."));
    this.endLine();
  }

  /** A fault, or a mistake of the user's. */
  fault(message: string): void {
    this.line(this.paint("yellow", message));
  }

  #endWait(): void {
    if (this.#isWaiting) this.#terminal.stdout.write("\r\u001B[K");
    this.#isWaiting = false;
  }

  /** The last line says what it is, the rest where. */
  #traceback(error: string): string {
    const lines = error.split("\n");
    const last = lines.findLastIndex((line) => /^\w/.test(line));
    return lines.map((line, index) => (index === last ? this.paint("red", line) : line)).join("\n");
  }
}
