/** A session as a notebook (nbformat 4.5): one cell for each execution that has started, with its outputs in the order shown. */
import type { EndReason, SessionInfo } from "../api/index.ts";
import type { Execution, ExecutionEnd } from "./execution.ts";
import { readEntries } from "./journal/journal-entry.ts";
import type { StoredArtifact } from "./result.ts";

/** What is exported; a `Session` is one. */
export interface NotebookSource {
  readonly info: Pick<SessionInfo, "session_id" | "kernel" | "loaded_plugins">;
  /** Newest first. */
  executions(): Execution[];
}

type CellOutput =
  | { output_type: "stream"; name: "stdout" | "stderr"; text: string }
  | { output_type: "display_data"; data: Record<string, unknown>; metadata: Record<string, unknown> }
  | { output_type: "execute_result"; execution_count: number; data: Record<string, unknown>; metadata: Record<string, unknown> }
  | { output_type: "error"; ename: string; evalue: string; traceback: string[] };

interface StreamParts {
  name: "stdout" | "stderr";
  parts: string[];
}

/**
 * The notebook's JSON text in pieces, so that only one cell at a time is in memory.
 *
 * Cells that raised carry the tag `raises-exception`, those that were stopped `skip-execution`: run again by nbclient, the notebook goes on behind
 * the former and does not hang in the latter.
 * @see https://nbformat.readthedocs.io/en/latest/format_description.html
 */
export async function* notebookText(session: NotebookSource): AsyncGenerator<string, void, undefined> {
  yield `{"nbformat":4,"nbformat_minor":5,"metadata":${JSON.stringify(notebookMetadata(session.info))},"cells":[`;
  let separator = "";
  for (const execution of session.executions().toReversed()) {
    if (execution.summary().started_at === null) continue;
    yield separator + JSON.stringify(await cellOf(execution));
    separator = ",";
  }
  yield "]}\n";
}

function notebookMetadata({ session_id, kernel, loaded_plugins }: NotebookSource["info"]): Record<string, unknown> {
  const isOwnKernel = kernel === "python3";
  return {
    kernelspec: {
      name: kernel,
      display_name: isOwnKernel ? "Python 3 (ipykernel)" : kernel,
      ...(isOwnKernel ? { language: "python" } : {}),
    },
    ...(isOwnKernel ? { language_info: { name: "python", file_extension: ".py", mimetype: "text/x-python" } } : {}),
    taskweaver: { session_id, plugins: loaded_plugins },
  };
}

async function cellOf(execution: Execution): Promise<Record<string, unknown>> {
  const { end, journal } = execution;
  const release = journal.hold();
  try {
    const tags = end === undefined ? [] : tagsOf(end.reason);
    return {
      id: `execution-${execution.index}`,
      cell_type: "code",
      execution_count: execution.index,
      metadata: { ...(tags.length === 0 ? {} : { tags }), taskweaver: { execution_id: execution.id } },
      source: await execution.readCode(),
      outputs: await outputsOf(execution),
    };
  } finally {
    release();
  }
}

function tagsOf(reason: EndReason): string[] {
  if (reason === "completed") return [];
  return [reason === "error" ? "raises-exception" : "skip-execution"];
}

async function outputsOf(execution: Execution): Promise<CellOutput[]> {
  const outputs = new CellOutputs();
  const { shown, overflow } = await execution.sums();
  let value: string | undefined;
  let end: ExecutionEnd | undefined;
  for await (const entry of readEntries(execution.journal, "stdout", "stderr", "artifact", "value", "end")) {
    if (entry.kind === "stdout" || entry.kind === "stderr") outputs.addText(entry.kind, entry.text);
    else if (entry.kind === "artifact" && shown.includes(entry.id)) outputs.addDisplay(entry.artifact);
    else if (entry.kind === "value") value = entry.text;
    else if (entry.kind === "end") ({ end } = entry);
  }
  for (const artifact of overflow) outputs.addDisplay(artifact);
  outputs.addValue(value, execution.index);
  if (end?.error !== undefined && end.error !== null) outputs.add(errorOutput(end.error, end.reason));
  return outputs.list;
}

/** The outputs of one cell as they grow. */
class CellOutputs {
  readonly #outputs: (CellOutput | StreamParts)[] = [];

  get list(): CellOutput[] {
    return this.#outputs.map((output) =>
      "parts" in output ? { output_type: "stream", name: output.name, text: output.parts.join("") } : output,
    );
  }

  add(output: CellOutput): void {
    this.#outputs.push(output);
  }

  /** Text that follows text of the same stream belongs to one output. */
  addText(name: StreamParts["name"], text: string): void {
    const last = this.#outputs.at(-1);
    if (last !== undefined && "parts" in last && last.name === name) last.parts.push(text);
    else this.#outputs.push({ name, parts: [text] });
  }

  addDisplay(artifact: StoredArtifact): void {
    this.add({ output_type: "display_data", data: mimeBundle(artifact), metadata: {} });
  }

  /** The value of the last expression; its rich form, where it has one, is the display that was shown last. */
  addValue(text: string | undefined, executionCount: number): void {
    if (text === undefined || text === "") return;
    const last = this.#outputs.at(-1);
    const data = last !== undefined && "data" in last ? last.data : {};
    const isRichForm = Object.keys(data).length > 1 && data["text/plain"] === text.slice(0, PREVIEW_LENGTH);
    if (isRichForm) this.#outputs.pop();
    this.add({
      output_type: "execute_result",
      execution_count: executionCount,
      data: { ...(isRichForm ? data : {}), "text/plain": text },
      metadata: {},
    });
  }
}

/** As long as an artifact's preview is at most. */
const PREVIEW_LENGTH = 1000;

function mimeBundle(artifact: StoredArtifact): Record<string, unknown> {
  const { file_content: content, mime_type: mimeType, preview } = artifact;
  if (content === undefined) return { "text/plain": `${preview === "" ? artifact.name : preview} (${artifact.file_name})` };
  const plain = preview === "" || mimeType === "text/plain" ? {} : { "text/plain": preview };
  return { [mimeType]: /[/+]json$/.test(mimeType) ? parsed(content) : content, ...plain };
}

/** nbformat wants JSON types as values. */
function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return content;
  }
}

/** Results keep an error as its traceback; its name and message stand at the end of that. */
function errorOutput(error: string, reason: EndReason): CellOutput {
  const traceback = error.trimEnd().split("\n");
  const ename = NAMES_BY_REASON[reason];
  if (ename === undefined) return { output_type: "error", ...parseTraceback(traceback), traceback };
  return { output_type: "error", ename, evalue: traceback[0] ?? "", traceback };
}

/** What ended the execution where it was not its own code. */
const NAMES_BY_REASON: Partial<Record<EndReason, string>> = {
  timed_out: "TimeoutError",
  kernel_died: "DeadKernelError",
  out_of_memory: "MemoryError",
  executor_lost: "DeadKernelError",
  cancelled: "CancelledError",
};

/** The last line that looks like `SomeError: message`; the message may have lines of its own. */
function parseTraceback(lines: string[]): { ename: string; evalue: string } {
  for (const pattern of [
    /^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Iteration|Warning|Group))(?:: ?(.*))?$/,
    /^([A-Za-z_][\w.]*): (.*)$/,
  ]) {
    const index = lines.findLastIndex((line) => pattern.test(line));
    const [, ename = "Error", evalue = ""] = pattern.exec(lines[index] ?? "") ?? [];
    if (index >= 0) return { ename, evalue: [evalue, ...lines.slice(index + 1)].join("\n") };
  }
  return { ename: "Error", evalue: lines.at(-1) ?? "" };
}
