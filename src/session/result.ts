/** Results and events as they are kept, and their JSON as one reader gets it: with the URLs that reader can use. */
import type { Artifact, EndReason, ExecutionResult, LogEntry, Truncation, VariableEntry } from "../api/index.ts";
import { API_PREFIX } from "../api/index.ts";

/** An artifact without its URL, which depends on who reads. */
export type StoredArtifact = Omit<Artifact, "download_url">;

/** A result as it is kept. `outputJson` is JSON text that the kernel made and that passes unchanged (`3.0` stays `3.0`). */
export interface StoredResult extends Omit<ExecutionResult, "output" | "artifact"> {
  outputJson: string;
  artifact: StoredArtifact[];
  reason: EndReason;
  log: LogEntry[];
  variables: VariableEntry[];
  truncated: Truncation | null;
}

/** An event as it is kept; `result` stands for the execution's result at the time of reading. */
export type StoredEvent =
  | { event: "output"; data: { type: "stdout" | "stderr"; text: string } }
  | { event: "artifact"; data: StoredArtifact }
  | { event: "input_request"; data: { prompt: string; password: boolean } }
  | { event: "result" }
  | { event: "done" };

/** Who reads: what its URLs begin with, and the session they are for. */
export interface Reader {
  /** Scheme and host, e.g. `http://localhost:8000`. */
  origin: string;
  sessionId: string;
}

/** The JSON text of a result. */
export function renderResult(result: StoredResult, reader: Reader): string {
  const { stdout, stderr, log, artifact } = result;
  const lists = JSON.stringify({ stdout, stderr, log, artifact: artifact.map((one) => withUrl(one, reader)) });
  return `${renderOutline(result)},${lists.slice(1)}`;
}

/** The beginning of a result's JSON text: all but the lists of what was recorded, and not closed. */
export function renderOutline(result: StoredResult): string {
  const { outputJson, stdout: _out, stderr: _err, log: _log, artifact: _artifact, execution_id, is_success, error, ...others } = result;
  const head = JSON.stringify({ execution_id, is_success, error });
  return `${head.slice(0, -1)},"output":${outputJson},${JSON.stringify(others).slice(1, -1)}`;
}

/** The JSON text of an artifact. */
export function renderArtifact(artifact: StoredArtifact, reader: Reader): string {
  return JSON.stringify(withUrl(artifact, reader));
}

/**
 * The kernel's JSON text if it is JSON, on one line; else the text as a JSON string.
 * The text comes from a process that runs the user's code, so it is not trusted to be JSON.
 */
export function checkedJson(text: unknown): string {
  if (typeof text !== "string") return '""';
  try {
    JSON.parse(text);
    return /[\n\r]/.test(text) ? text.replace(/[\n\r]/g, " ") : text;
  } catch {
    return JSON.stringify(text);
  }
}

function withUrl(artifact: StoredArtifact, reader: Reader): Artifact {
  // By way of UTF-8: encodeURIComponent throws on lone surrogates, and a plugin may name its file as it likes.
  const path = Buffer.from(artifact.file_name).toString().split("/").map(encodeURIComponent).join("/");
  return { ...artifact, download_url: `${reader.origin}${API_PREFIX}/sessions/${encodeURIComponent(reader.sessionId)}/artifacts/${path}` };
}
