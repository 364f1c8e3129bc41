/** From the messages of one execution to its events and the parts of its result, in the order the kernel sent them. */
import { stripVTControlCharacters } from "node:util";
import { ARTIFACT_TYPES, type LogEntry, type Truncation } from "../api/index.ts";
import type { Message } from "../kernel/messages.ts";
import { richestForm, textOf } from "./display.ts";
import type { EventLog } from "./event-log.ts";
import { readEntries, type EntryOf, type ExecutionJournal, type Sums } from "./journal/journal-entry.ts";
import { OutputStream, type OutputLimits } from "./output-stream.ts";
import type { StoredArtifact, StoredEvent } from "./result.ts";
import { ShownArtifacts } from "./shown-artifacts.ts";

/** What the result of one execution may take in memory; of a larger one only the journal has all. */
const HELD_BYTES = 1024 * 1024;

/** What a chunk of text takes beside its characters. */
const CHUNK_BYTES = 100;

/** What one recorder is for. */
export interface RecorderOptions {
  executionId: string;
  cwd: string;
  limits: OutputLimits;
  log: EventLog<StoredEvent>;
  /** Keeps everything. */
  journal: ExecutionJournal;
  /** A failure to keep something (a display's file on a full disk); told in the result too. */
  onFault: (error: unknown) => void;
}

/** Records the iopub and stdin messages of one execution. */
export class OutputRecorder {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** As long as they are held in memory. */
  logEntries: LogEntry[] = [];
  /** The plain traceback of an `error` message. */
  errorText: string | undefined;
  /** `text/plain` of the last value, for kernels that do not parse their output. */
  lastValueText: string | undefined;
  readonly #options: RecorderOptions;
  readonly #shown: ShownArtifacts;
  #clearOnNext = false;
  #logBytes = 0;
  #heldBytes = 0;
  #isWhole = true;
  /** Of the last event, those that came too late for the log included. */
  #lastEventId = 0;
  /** What `sums` says is not what was written down last. */
  #haveSumsChanged = false;
  /** The iopub messages taken so far, and the number of the one being recorded. */
  #taken = 0;
  #recording = 0;
  /** The questions asked so far. */
  #questions = 0;
  /** Pending file writes; undefined where none is, so that text needs no microtask. */
  #pending: Promise<void> | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.stdout = new OutputStream("stdout", options.executionId, options.cwd, options.limits);
    this.stderr = new OutputStream("stderr", options.executionId, options.cwd, options.limits);
    this.#shown = new ShownArtifacts({
      ...options,
      maxBytes: options.limits.maxDisplayBytes,
      note: (artifact, replaces) => this.#noteArtifact(artifact, replaces),
    });
  }

  /** Takes one message; unknown types are ignored. A promise means: wait before the next one (a file is being written). */
  record(message: Message): Promise<void> | undefined {
    if (message.channel === "iopub") this.#taken += 1;
    const count = this.#taken;
    if (this.#pending === undefined && !needsFile(message) && !this.#needsEarlierText(message)) {
      this.#recordNow(message, count);
      return undefined;
    }
    const turn: Promise<void> = (this.#pending ?? Promise.resolve())
      .then(() => (needsFile(message) ? this.#recordDisplay(message, count) : this.#recordInTurn(message, count)))
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

  /** Whether all of the result is held in memory. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** What is held in memory of the result. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Lets go of what is held in memory; from now on only the journal has the result. */
  release(): void {
    this.#isWhole = false;
    this.#heldBytes = 0;
    this.stdout.release();
    this.stderr.release();
    this.logEntries = [];
    this.#shown.release();
  }

  /** What the displays and plugins gave: each display in order, then what plugins added, then what overflowed. */
  get artifacts(): StoredArtifact[] {
    return [...this.#shown.artifacts, ...this.#overflow];
  }

  /** What becomes of all that was recorded. */
  get sums(): Sums {
    return { truncated: this.truncated, shown: this.#shown.ids, overflow: this.#overflow };
  }

  get #overflow(): StoredArtifact[] {
    return [this.stdout.artifact, this.stderr.artifact].filter((artifact) => artifact !== undefined);
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
    this.#options.journal.append({ kind: "log", count: this.#recording, entry });
    if (this.#mayHold(entry.reduce((bytes, part) => bytes + part.length, CHUNK_BYTES))) this.logEntries.push(entry);
  }

  /** How many iopub messages it has been given. */
  get takenCount(): number {
    return this.#taken;
  }

  /** How many iopub messages are recorded for good: a kernel that kept them sends again what comes after. */
  get recordedCount(): number {
    return this.#recording;
  }

  /** The next message is the one after the first so many of the kernel's. Where some of those are gone that is said among the output. */
  goOnFrom(first: number, isComplete: boolean): void {
    this.#taken = Math.max(this.#taken, first);
    if (!isComplete) this.#noteMissing("some output is missing here: it was written while the server was away");
  }

  /** Says among the output that messages were lost, who knows where. */
  noteLoss(count: number): void {
    this.#noteMissing(
      `some output is missing: ${count} of the kernel's messages did not arrive, as it sent more at a time than was taken, or too much in one`,
    );
  }

  #noteMissing(what: string): void {
    void this.record(streamMessage("stderr", `\n[${what}]\n`));
  }

  /** Takes up where a journal ends; what was recorded is not held in memory again. */
  async restore(): Promise<void> {
    this.release();
    const kinds = ["stdout", "stderr", "artifact", "input_request", "log", "error", "value", "sums"] as const;
    for await (const entry of readEntries(this.#options.journal, ...kinds)) this.#restoreEntry(entry);
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
        this.#recordText(streamOf(message), textOf(content["text"]));
        break;
      case "error":
        this.errorText = plainTraceback(content);
        this.#options.journal.append({ kind: "error", count, text: this.errorText });
        break;
      case "clear_output":
        if (content["wait"] === true) this.#clearOnNext = true;
        else this.#clear();
        break;
      case "input_request":
        // Told again to a server that came back, it has a number.
        if (Number(content["number"] ?? Infinity) <= this.#questions) break;
        this.#noteQuestion(textOf(content["prompt"] ?? ""), content["password"] === true);
        break;
      case "taskweaver_log":
        this.addLog([textOf(content["level"]), textOf(content["tag"]), textOf(content["message"])]);
        break;
      case "taskweaver_artifact":
        this.#recordPluginArtifact(content);
        break;
    }
  }

  /** The text up to a cut goes to a file; where it is not held any more it is read again first. */
  async #recordInTurn(message: Message, count: number): Promise<void> {
    if (this.#needsEarlierText(message)) {
      const type = streamOf(message);
      await this[type].spillEarlierText(this.#textOf(type));
    }
    this.#recordNow(message, count);
  }

  #needsEarlierText(message: Message): boolean {
    if (this.#isWhole || message.header.msg_type !== "stream") return false;
    return this[streamOf(message)].needsEarlierText(textOf(message.content["text"]));
  }

  async *#textOf(type: "stdout" | "stderr"): AsyncGenerator<string> {
    for await (const { text } of readEntries(this.#options.journal, type)) yield text;
  }

  #recordText(type: "stdout" | "stderr", text: string): void {
    if (this.#clearOnNext) this.#clear();
    const wasCut = this[type].truncation !== undefined;
    const shown = this[type].write(text);
    if (shown !== "") {
      const id = this.#number({ event: "output", data: { type, text: shown } });
      this.#options.journal.append({ kind: type, id, count: this.#recording, text: shown });
      this.#mayHold(shown.length + CHUNK_BYTES);
    }
    if (this[type].truncation === undefined) return;
    this.#haveSumsChanged = true;
    if (!wasCut) this.journalSums();
  }

  async #recordDisplay(message: Message, count: number): Promise<void> {
    const { content } = message;
    this.#recording = count;
    const data = (content["data"] ?? {}) as Record<string, unknown>;
    const isValue = message.header.msg_type === "execute_result";
    if (isValue) {
      this.lastValueText = textOf(data["text/plain"] ?? "");
      this.#options.journal.append({ kind: "value", count, text: this.lastValueText });
    }
    const display = richestForm(data, !isValue);
    if (display === undefined) return;
    const transient = (content["transient"] ?? {}) as { display_id?: unknown };
    const displayId = typeof transient.display_id === "string" ? transient.display_id : undefined;
    if (this.#clearOnNext) this.#clear();
    await this.#shown.show(display, displayId, message.header.msg_type === "update_display_data");
  }

  #clear(): void {
    this.#clearOnNext = false;
    this.#shown.clear();
    this.#haveSumsChanged = true;
  }

  #recordPluginArtifact(content: Record<string, unknown>): void {
    const fileName = textOf(content["file_name"]);
    const type = ARTIFACT_TYPES.find((candidate) => candidate === content["type"]) ?? "file";
    this.#shown.add({
      name: textOf(content["name"]),
      type,
      mime_type: textOf(content["mime_type"] ?? "application/octet-stream"),
      original_name: textOf(content["original_name"] ?? fileName),
      file_name: fileName,
      preview: textOf(content["preview"] ?? ""),
    });
  }

  #noteQuestion(prompt: string, password: boolean): void {
    this.#questions += 1;
    const id = this.#number({ event: "input_request", data: { prompt, password } });
    this.#options.journal.append({ kind: "input_request", id, count: this.#recording, prompt, password });
  }

  #noteArtifact(artifact: StoredArtifact, replaces: number): number {
    this.#options.log.withdraw(replaces);
    const id = this.#number({ event: "artifact", data: artifact });
    this.#options.journal.append({ kind: "artifact", id, replaces, count: this.#recording, artifact });
    this.#haveSumsChanged = true;
    this.#mayHold((artifact.file_content?.length ?? 0) + CHUNK_BYTES);
    return id;
  }

  /** Adds an event to the log; returns its number, also where the log has ended. */
  #number(event: StoredEvent): number {
    const { log } = this.#options;
    this.#lastEventId = log.append(event) || Math.max(this.#lastEventId, log.lastId) + 1;
    return this.#lastEventId;
  }

  /** Whether the result, with so much more, may still be held in memory; where it may not, it is let go of. */
  #mayHold(bytes: number): boolean {
    if (!this.#isWhole) return false;
    this.#heldBytes += bytes;
    if (this.#heldBytes > HELD_BYTES) this.release();
    return this.#isWhole;
  }

  /** Writes down which artifacts are shown, where streams were cut and how much they have had so far, where that is new. */
  journalSums(): void {
    if (!this.#haveSumsChanged) return;
    this.#haveSumsChanged = false;
    this.#options.journal.append({ kind: "sums", ...this.sums });
  }

  #restoreEntry(entry: EntryOf<"stdout" | "stderr" | "artifact" | "input_request" | "log" | "error" | "value" | "sums">): void {
    if ("count" in entry) this.#recording = Math.max(this.#recording, entry.count);
    if (entry.kind === "stdout" || entry.kind === "stderr") this[entry.kind].restore(entry.text);
    else if (entry.kind === "artifact") {
      this.#haveSumsChanged = true;
      this.#shown.restore(entry);
    } else if (entry.kind === "input_request") this.#questions += 1;
    else if (entry.kind === "log") this.#logBytes += entry.entry.reduce((bytes, part) => bytes + Buffer.byteLength(part), 0);
    else if (entry.kind === "error") this.errorText = entry.text;
    else if (entry.kind === "value") this.lastValueText = entry.text;
    else if (entry.kind === "sums") this.#restoreCut(entry.truncated);
  }

  #restoreCut(truncated: Truncation | null): void {
    if (truncated === null) return;
    this.#haveSumsChanged = true;
    if (truncated.stdout !== undefined) this.stdout.restoreCut(truncated.stdout);
    if (truncated.stderr !== undefined) this.stderr.restoreCut(truncated.stderr);
  }

  #fault(error: unknown): void {
    this.#keepLog(["error", "Server", "A display could not be stored."]);
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

function streamOf({ content }: Message): "stdout" | "stderr" {
  return content["name"] === "stderr" ? "stderr" : "stdout";
}

/** Text of ours, as if the kernel had sent it; no message of the kernel's for all that. */
function streamMessage(name: "stdout" | "stderr", text: string): Message {
  const header = { msg_id: "", session: "", username: "", date: "", version: "", msg_type: "stream" };
  return { channel: "shell", header, parent_header: {}, metadata: {}, content: { name, text }, buffers: [] };
}
