/** An execution's result as the model reads it: everything that helps, nothing twice, and not too much of it. */
import { outputText, type Artifact, type ExecutionResult } from "../client/index.ts";

/**
 * Describes a result.
 * @param limit Characters of each of its texts.
 */
export function resultText(result: ExecutionResult, limit: number): string {
  const sections = [
    section("stdout", plainText(result.stdout.join("")), limit),
    section("stderr", plainText(result.stderr.join("")), limit),
    section("value", outputText(result) ?? "", limit),
    section("error", plainText(result.error ?? ""), limit),
    section("log", result.log.map(([level, tag, message]) => `${level} ${tag}: ${message}`).join("\n"), limit),
    section("files", result.artifact.map(artifactLine).join("\n"), limit),
    ...(result.state_kept ? [] : ["The kernel was started anew: all variables and imports are gone."]),
  ].filter((text) => text !== "");
  return sections.length === 0 ? "The code ran without any output." : sections.join("\n\n");
}

/** Takes out the middle of a text that is too long; its beginning and its end say most. */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const head = Math.ceil(limit * 0.6);
  const tail = Math.max(0, limit - head);
  const left = text.length - head - tail;
  return `${withoutHalf(text.slice(0, head))}\n[… ${left} characters left out …]\n${withoutHalf(text.slice(text.length - tail))}`;
}

/** As a terminal would show it at last: progress bars write over themselves, and colours are of no use to a model. */
export function plainText(text: string): string {
  return text
    .replaceAll(ESCAPE_SEQUENCE, "")
    .replaceAll("\r\n", "\n")
    .replaceAll(/[^\n]*\r(?=[^\n])/g, "");
}

// oxlint-disable-next-line no-control-regex -- escape sequences begin with one
const ESCAPE_SEQUENCE = /\u001B(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\))/g;

function section(title: string, text: string, limit: number): string {
  const body = shorten(text.trimEnd(), limit);
  return body.trim() === "" ? "" : `${title}:\n${body}`;
}

function artifactLine({ file_name: name, type, preview }: Artifact): string {
  const line = preview.trim().split("\n", 1)[0] ?? "";
  return `${name} (${type}${line === "" ? "" : `, ${shorten(line, 100)}`})`;
}

/** A cut through a pair of UTF-16 units leaves halves that are no text. */
function withoutHalf(text: string): string {
  return text.replace(/^[\uDC00-\uDFFF]/, "").replace(/[\uD800-\uDBFF]$/, "");
}
