/** From the messages of one execution to its events and the parts of its result, in the order the kernel sent them. */
import { stripVTControlCharacters } from "node:util";
import { ARTIFACT_TYPES, type LogEntry, type Truncation } from "../api/index.ts";
import type { Message } from "../kernel/messages.ts";
import { DisplayFiles } from "./artifact-file.ts";
import { richestForm, textOf, type DisplayContent } from "./display.ts";
import type { EventLog } from "./event-log.ts";
import type { JournalEntry } from "./journal/execution-journal.ts";
import { OutputStream, type OutputLimits } from "./output-stream.ts";
import type { StoredArtifact, StoredEvent } from "./result.ts";

interface ShownDisplay {
  artifact: StoredArtifact;
  eventId: number;
}

/** What one recorder is for. */
export interface RecorderOptions {
  executionId: string;
  cwd: string;
  limits: OutputLimits;
  log: EventLog<StoredEvent>;
  /** Told each thing that a restarted server must know again. */
  journal?: (entry: JournalEntry) => void;
  /** A failure to keep something (a display's file on a full disk); told in the result too. */
  onFault: (error: unknown) => void;
}

/** Records the iopub and stdin messages of one execution. */
export class OutputRecorder {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly logEntries: LogEntry[] = [];
  /** The plain traceback of an `error` message. */
  errorText: string | undefined;
  /** `text/plain` of the last value, for kernels that do not parse their output. */
  lastValueText: string | undefined;
  readonly #options: RecorderOptions;
  readonly #files: DisplayFiles;
  #displays: ShownDisplay[] = [];
  #pluginArtifacts: StoredArtifact[] = [];
  /** Displays that `clear_output` took off the page; the next ones take their places. */
  #cleared: ShownDisplay[] = [];
  #clearOnNext = false;
  #logBytes = 0;
  /** Of the content that artifacts carry now. */
  #displayBytes = 0;
  /** The iopub messages taken so far, and the number of the one being recorded. */
  #taken = 0;
  #recording = 0;
  /** Pending file writes; undefined where none is, so that text needs no microtask. */
  #pending: Promise<void> | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.stdout = new OutputStream("stdout", options.executionId, options.cwd, options.limits);
    this.stderr = new OutputStream("stderr", options.executionId, options.cwd, options.limits);
    this.#files = new DisplayFiles(options.cwd, options.executionId);
  }

  /** Takes one message; unknown types are ignored. A promise means: wait before the next one (a file is being written). */
  record(message: Message): Promise<void> | undefined {
    if (message.channel === "iopub") this.#taken += 1;
    const count = this.#taken;
    if (this.#pending === undefined && !needsFile(message)) {
      this.#recordNow(message, count);
      return undefined;
    }
    const turn: Promise<void> = (this.#pending ?? Promise.resolve())
      .then(() => (needsFile(message) ? this.#recordDisplay(message, count) : this.#recordNow(message, count)))
      .catch((error: unknown) => this.#fault(error))
      .finally(() => {
        if (this.#pending === turn) this.#pending = undefined;
      });
    this.#pending = turn;
    return turn;
  }

  /** Resolves when all that was recorded so far is in the log. */
  async settled(): Promise<void> {
    while (this.#pending !== undefined) await this.#pending;
  }

  /** What the displays and plugins gave: each display in order, then what plugins added, then what overflowed. */
  get artifacts(): StoredArtifact[] {
    const overflow = [this.stdout.artifact, this.stderr.artifact].filter((artifact) => artifact !== undefined);
    return [...this.#displays.map((shown) => shown.artifact), ...this.#pluginArtifacts, ...overflow];
  }

  get truncated(): Truncation | null {
    const [stdout, stderr] = [this.stdout.truncation, this.stderr.truncation];
    if (stdout === undefined && stderr === undefined) return null;
    return { ...(stdout === undefined ? {} : { stdout }), ...(stderr === undefined ? {} : { stderr }) };
  }

  /** What plugins log, and text of ours, such as a note that plugins could not be loaded again. Cut like a stream, with a mark. */
  addLog(entry: LogEntry): void {
    const { maxOutputBytes } = this.#options.limits;
    if (this.#logBytes > maxOutputBytes) return;
    this.#logBytes += entry.reduce((bytes, part) => bytes + Buffer.byteLength(part), 0);
    if (this.#logBytes > maxOutputBytes) return this.#keepLog(["warning", "Server", `The log is cut here, after ${maxOutputBytes} bytes.`]);
    this.#keepLog(entry);
  }

  #keepLog(entry: LogEntry): void {
    this.logEntries.push(entry);
    this.#options.journal?.({ kind: "log", count: this.#recording, entry });
  }

  /** How many iopub messages are recorded for good: a kernel that kept them sends again what comes after. */
  get recordedCount(): number {
    return this.#recording;
  }

  /** Says among the output that some of it is gone: it was written while no server was there, and was too much to be kept. */
  noteGap(): void {
    this.#recordText("stderr", "\n[some output is missing here: it was written while the server was away]\n");
  }

  /** Takes up where a journal ends. */
  restore(entries: JournalEntry[]): void {
    for (const entry of entries) {
      if ("count" in entry) this.#recording = Math.max(this.#recording, entry.count);
      if (entry.kind === "event") this.#restoreEvent(entry.event);
      else if (entry.kind === "log") this.logEntries.push(entry.entry);
      else if (entry.kind === "error") this.errorText = entry.text;
      else if (entry.kind === "value") this.lastValueText = entry.text;
      else if (entry.kind === "truncated") this.#restoreCut(entry.truncated);
    }
    this.#taken = this.#recording;
  }

  /** Closes the files of cut streams. */
  close(): void {
    this.stdout.close();
    this.stderr.close();
  }

  #recordNow(message: Message, count: number): void {
    const { content } = message;
    this.#recording = count;
    switch (message.header.msg_type) {
      case "stream":
        this.#recordText(content["name"] === "stderr" ? "stderr" : "stdout", textOf(content["text"]));
        break;
      case "error":
        this.errorText = plainTraceback(content);
        this.#options.journal?.({ kind: "error", count, text: this.errorText });
        break;
      case "clear_output":
        if (content["wait"] === true) this.#clearOnNext = true;
        else this.#clear();
        break;
      case "input_request":
        this.#note({ event: "input_request", data: { prompt: textOf(content["prompt"] ?? ""), password: content["password"] === true } });
        break;
      case "taskweaver_log":
        this.addLog([textOf(content["level"]), textOf(content["tag"]), textOf(content["message"])]);
        break;
      case "taskweaver_artifact":
        this.#recordPluginArtifact(content);
        break;
    }
  }

  #recordText(type: "stdout" | "stderr", text: string): void {
    if (this.#clearOnNext) this.#clear();
    const wasCut = this[type].truncation !== undefined;
    const shown = this[type].write(text);
    if (shown !== "") this.#note({ event: "output", data: { type, text: shown } });
    if (!wasCut && this.truncated !== null && this[type].truncation !== undefined) this.journalCut();
  }

  async #recordDisplay(message: Message, count: number): Promise<void> {
    const { content } = message;
    this.#recording = count;
    const data = (content["data"] ?? {}) as Record<string, unknown>;
    const isValue = message.header.msg_type === "execute_result";
    if (isValue) {
      this.lastValueText = textOf(data["text/plain"] ?? "");
      this.#options.journal?.({ kind: "value", count, text: this.lastValueText });
    }
    const display = richestForm(data, !isValue);
    if (display === undefined) return;
    const transient = (content["transient"] ?? {}) as { display_id?: unknown };
    const displayId = typeof transient.display_id === "string" ? transient.display_id : undefined;
    if (this.#clearOnNext) this.#clear();
    const previous =
      displayId !== undefined && message.header.msg_type === "update_display_data"
        ? this.#displays.find((shown) => shown.artifact.display_id === displayId)
        : undefined;
    if (previous !== undefined) await this.#replace(previous, display, displayId);
    else await this.#show(display, displayId);
  }

  async #show(display: DisplayContent, displayId: string | undefined): Promise<void> {
    const place = this.#cleared.shift();
    if (place !== undefined) {
      this.#displays.push(place);
      await this.#replace(place, display, displayId ?? place.artifact.display_id ?? place.artifact.name);
      return;
    }
    const { name, fileName } = await this.#files.write(display);
    const artifact = this.#carried(artifactOf(name, fileName, display, displayId));
    this.#displays.push({ artifact, eventId: this.#note({ event: "artifact", data: artifact }) });
  }

  async #replace(shown: ShownDisplay, display: DisplayContent, displayId: string | undefined): Promise<void> {
    const { name, fileName } = await this.#files.replace({ name: shown.artifact.name, fileName: shown.artifact.file_name }, display);
    this.#options.log.withdraw(shown.eventId);
    this.#displayBytes -= shown.artifact.file_content?.length ?? 0;
    shown.artifact = this.#carried(artifactOf(name, fileName, display, displayId));
    shown.eventId = this.#note({ event: "artifact", data: shown.artifact });
  }

  /** Without its content where displays already carry as much as they may: then it is in its file only, and says so. */
  #carried(artifact: StoredArtifact): StoredArtifact {
    const { file_content: content = "", file_content_encoding: _, ...others } = artifact;
    if (this.#displayBytes + content.length <= (this.#options.limits.maxDisplayBytes ?? Infinity)) {
      this.#displayBytes += content.length;
      return artifact;
    }
    return { ...others, preview: `[the content is left out here; it is in ${artifact.file_name}] ${artifact.preview}` };
  }

  #clear(): void {
    this.#clearOnNext = false;
    this.#cleared = [...this.#displays, ...this.#cleared];
    this.#displays = [];
  }

  #recordPluginArtifact(content: Record<string, unknown>): void {
    const fileName = textOf(content["file_name"]);
    const type = ARTIFACT_TYPES.find((candidate) => candidate === content["type"]) ?? "file";
    const artifact: StoredArtifact = {
      name: textOf(content["name"]),
      type,
      mime_type: textOf(content["mime_type"] ?? "application/octet-stream"),
      original_name: textOf(content["original_name"] ?? fileName),
      file_name: fileName,
      preview: textOf(content["preview"] ?? ""),
    };
    this.#pluginArtifacts.push(artifact);
    this.#note({ event: "artifact", data: artifact });
  }

  /** Adds an event to the log and to the journal; returns its number in the log. */
  #note(event: StoredEvent): number {
    this.#options.journal?.({ kind: "event", count: this.#recording, event });
    return this.#options.log.append(event);
  }

  /** Writes down where streams were cut and how much they have had so far. */
  journalCut(): void {
    const { truncated } = this;
    if (truncated !== null) this.#options.journal?.({ kind: "truncated", truncated });
  }

  #restoreEvent(event: StoredEvent): void {
    const eventId = this.#options.log.append(event);
    if (event.event === "output") this[event.data.type].restore(event.data.text);
    if (event.event !== "artifact") return;
    const artifact = event.data;
    const isDisplay = artifact.file_content !== undefined || artifact.name.startsWith(`${this.#options.executionId}-display-`);
    this.#displayBytes += artifact.file_content?.length ?? 0;
    if (!isDisplay) return void this.#pluginArtifacts.push(artifact);
    const previous = this.#displays.find((shown) => shown.artifact.name === artifact.name);
    if (previous === undefined) return void this.#displays.push({ artifact, eventId });
    this.#displayBytes -= previous.artifact.file_content?.length ?? 0;
    this.#options.log.withdraw(previous.eventId);
    previous.artifact = artifact;
    previous.eventId = eventId;
  }

  #restoreCut(truncated: Truncation): void {
    if (truncated.stdout !== undefined) this.stdout.restoreCut(truncated.stdout);
    if (truncated.stderr !== undefined) this.stderr.restoreCut(truncated.stderr);
  }

  #fault(error: unknown): void {
    this.logEntries.push(["error", "Server", "A display could not be stored."]);
    this.#options.onFault(error);
  }
}

/** The traceback of an `error` message or reply without colour codes. */
export function plainTraceback(content: Record<string, unknown>): string {
  const lines = Array.isArray(content["traceback"]) ? content["traceback"].map(textOf) : [];
  const text = lines.length > 0 ? lines.join("\n") : `${textOf(content["ename"] ?? "Error")}: ${textOf(content["evalue"] ?? "")}`;
  return stripVTControlCharacters(text);
}

function needsFile(message: Message): boolean {
  const type = message.header.msg_type;
  return type === "display_data" || type === "execute_result" || type === "update_display_data";
}

function artifactOf(name: string, fileName: string, display: DisplayContent, displayId: string | undefined): StoredArtifact {
  return {
    name,
    type: display.type,
    mime_type: display.mimeType,
    original_name: fileName,
    file_name: fileName,
    file_content: display.content,
    file_content_encoding: display.encoding,
    preview: display.preview,
    ...(displayId === undefined ? {} : { display_id: displayId }),
  };
}
