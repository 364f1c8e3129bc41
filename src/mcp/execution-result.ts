/** The result of an execution as a model reads it: text, figures, and links to files. */
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/server";
import { outputText, type Artifact, type ExecutionResult } from "../client/index.ts";
import { fileUri } from "./resource-uri.ts";
import { SHOWN_IMAGES } from "./session-file.ts";
import { shorten } from "./shorten.ts";

/** What one result may carry of pictures, in number and in characters of base64. */
const MOST_IMAGES = 10;
const LARGEST_IMAGE_LENGTH = 4 * 1024 * 1024;

/** Where a text of a result is read on. */
export type OutputName = "stdout" | "stderr" | "value" | "error";

/** All that a call gives back. */
export function executionResult(sessionId: string, result: ExecutionResult): CallToolResult {
  const sections = Object.entries(textsOf(result)).map(([name, text]) => section(name as OutputName, text, sessionId, result.execution_id));
  const parts = [headOf(sessionId, result), ...sections.filter((part) => part !== ""), logOf(result), ...notesOf(result)];
  const text: ContentBlock = { type: "text", text: parts.filter((part) => part !== "").join("\n\n") };
  return { content: [text, ...artifactBlocks(sessionId, result.artifact)], isError: !result.is_success };
}

/** The texts of a result by their names. */
export function textsOf(result: ExecutionResult): Record<OutputName, string> {
  return {
    stdout: result.stdout.join(""),
    stderr: result.stderr.join(""),
    value: outputText(result) ?? "",
    error: result.error ?? "",
  };
}

function headOf(sessionId: string, { execution_id, reason, started_at, finished_at }: ExecutionResult): string {
  const seconds = started_at === null ? "" : ` in ${((Date.parse(finished_at) - Date.parse(started_at)) / 1000).toFixed(1)} s`;
  return `${reason}${seconds} (session_id ${sessionId}, execution_id ${execution_id})`;
}

function section(name: OutputName, text: string, sessionId: string, executionId: string): string {
  if (text === "") return "";
  const how = (offset: number): string =>
    `read on with read_output, session_id ${sessionId}, execution_id ${executionId}, name ${name}, offset ${offset}`;
  return `${name}:\n${shorten(text.replace(/\n$/, ""), how)}`;
}

function logOf({ log }: ExecutionResult): string {
  return log.length === 0 ? "" : `log:\n${shorten(log.map((entry) => entry.join(" ")).join("\n"), () => "the log cannot be read on")}`;
}

function notesOf({ state_kept, truncated }: ExecutionResult): string[] {
  const cut = Object.entries(truncated ?? {}).map(([name, { artifact, bytes_written }]) =>
    artifact === null ? `${name} was cut.` : `${name} was cut: all ${bytes_written} bytes are in the file ${artifact} (read_file).`,
  );
  return [...cut, state_kept ? "" : "The session's variables were lost; a fresh kernel is there. Files and plugins are kept."];
}

function artifactBlocks(sessionId: string, artifacts: readonly Artifact[]): ContentBlock[] {
  let images = 0;
  return artifacts.flatMap((artifact): ContentBlock[] => {
    const content = artifact.file_content ?? "";
    const isImage = SHOWN_IMAGES.has(artifact.mime_type) && content !== "" && content.length <= LARGEST_IMAGE_LENGTH;
    if (isImage) images += 1;
    const image: ContentBlock = { type: "image", data: content, mimeType: artifact.mime_type };
    return [...(isImage && images <= MOST_IMAGES ? [image] : []), linkTo(sessionId, artifact)];
  });
}

function linkTo(sessionId: string, { file_name, mime_type, preview }: Artifact): ContentBlock {
  return {
    type: "resource_link",
    uri: fileUri(sessionId, file_name),
    name: file_name,
    mimeType: mime_type,
    ...(preview === "" ? {} : { description: preview }),
  };
}
