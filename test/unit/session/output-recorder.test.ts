/** From messages to events and artifacts: in order, whatever is being written meanwhile. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Message } from "../../../src/kernel/messages.ts";
import { EventLog } from "../../../src/session/event-log.ts";
import { MemoryJournal } from "../../../src/session/journal/memory-journal.ts";
import { OutputRecorder, plainTraceback } from "../../../src/session/output-recorder.ts";
import type { StoredArtifact, StoredEvent } from "../../../src/session/result.ts";

const PNG = Buffer.from("not really a picture").toString("base64");

let cwd: string;
let log: EventLog<StoredEvent>;
let recorder: OutputRecorder;
const onFault = vi.fn();

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "tw-recorder-"));
  log = new EventLog();
  onFault.mockReset();
  recorder = new OutputRecorder({
    executionId: "x",
    cwd,
    log,
    journal: new MemoryJournal(),
    onFault,
    limits: { maxOutputBytes: 1000, maxSpilledBytes: 1000 },
  });
});
afterEach(async () => {
  recorder.close();
  await rm(cwd, { recursive: true, force: true });
});

describe("order", () => {
  test("text that follows a picture stays behind it, although the picture's file takes its time", async () => {
    stdout("a");
    display({ "image/png": PNG });
    stdout("b");
    display({ "text/html": "<b>" });
    stdout("c");
    expect(await events()).toEqual(["a", "x-display-1_image.png", "b", "x-display-2_image.html", "c"]);
  });

  test("text alone needs no wait", () => {
    expect(recorder.record(message("stream", { name: "stdout", text: "a" }))).toBeUndefined();
    expect(log.lastId).toBe(1);
  });

  test("stdout and stderr are one order in the log and two in the result", async () => {
    stdout("1");
    record("stream", { name: "stderr", text: "2" });
    stdout("3");
    expect(await events()).toEqual(["1", "2", "3"]);
    expect([recorder.stdout.chunks, recorder.stderr.chunks]).toEqual([["1", "3"], ["2"]]);
  });

  test("messages of unknown types are ignored", async () => {
    for (const type of ["status", "execute_input", "comm_open", "something_new"]) record(type, { data: 1 });
    expect(await events()).toEqual([]);
  });
});

describe("a display", () => {
  test("gets a file of its own, and carries its content", async () => {
    display({ "image/png": PNG, "text/plain": "<Figure>" });
    await recorder.settled();
    expect(recorder.artifacts).toEqual([
      {
        name: "x-display-1",
        type: "image",
        mime_type: "image/png",
        original_name: "x-display-1_image.png",
        file_name: "x-display-1_image.png",
        file_content: PNG,
        file_content_encoding: "base64",
        preview: "<Figure>",
      },
    ]);
    expect(await readFile(join(cwd, "x-display-1_image.png"), "utf8")).toBe("not really a picture");
  });

  test("goes round a file that is there", async () => {
    await writeFile(join(cwd, "x-display-1_image.png"), "mine");
    display({ "image/png": PNG });
    await recorder.settled();
    expect(names()).toEqual(["x-display-2_image.png"]);
    expect(await readFile(join(cwd, "x-display-1_image.png"), "utf8")).toBe("mine");
  });

  test("is kept where the code has removed its own directory", async () => {
    await rm(cwd, { recursive: true });
    display({ "image/png": PNG });
    await recorder.settled();
    expect(await readdir(cwd)).toEqual(["x-display-1_image.png"]);
  });

  test("that cannot be stored is told in the log, and what follows goes on", async () => {
    await rm(cwd, { recursive: true });
    await writeFile(cwd, "a file where the folder was");
    display({ "image/png": PNG });
    stdout("after");
    expect(await events()).toEqual(["after"]);
    expect(recorder.logEntries).toEqual([["error", "Server", "A display could not be stored."]]);
    expect(onFault).toHaveBeenCalledOnce();
  });

  test("of a value is an artifact where it has a rich form, and its text is kept", async () => {
    record("execute_result", { data: { "text/plain": "3" } });
    await recorder.settled();
    expect(recorder.artifacts).toEqual([]);
    record("execute_result", { data: { "text/plain": "table", "text/html": "<table>" } });
    await recorder.settled();
    expect([recorder.lastValueText, names()]).toEqual(["table", ["x-display-1_image.html"]]);
  });

  test("with hostile content breaks nothing", async () => {
    for (const content of [{}, { data: null }, { data: [1] }, { data: { "image/png": 3 }, transient: null }, { data: "x" }])
      record("display_data", content);
    stdout("after");
    expect((await events()).at(-1)).toBe("after");
  });
});

describe("a display that updates itself", () => {
  test("replaces its artifact: readers who come later see the last state alone", async () => {
    display({ "image/png": PNG }, "d");
    record("update_display_data", { data: { "image/png": b64("second") }, transient: { display_id: "d" } });
    expect(await events()).toEqual(["x-display-1_image.png"]);
    expect(recorder.artifacts).toMatchObject([{ display_id: "d", file_content: b64("second") }]);
    expect(await readdir(cwd)).toEqual(["x-display-1_image.png"]);
    expect(await readFile(join(cwd, "x-display-1_image.png"), "utf8")).toBe("second");
  });

  test("changes its file's name with its form, over no file of another's", async () => {
    await writeFile(join(cwd, "x-display-1_image.html"), "mine");
    display({ "image/png": PNG }, "d");
    record("update_display_data", { data: { "text/html": "<i>" }, transient: { display_id: "d" } });
    await recorder.settled();
    expect((await readdir(cwd)).toSorted()).toEqual(["x-display-1_image.html", "x-display-2_image.html"]);
    expect(await readFile(join(cwd, "x-display-1_image.html"), "utf8")).toBe("mine");
    expect(recorder.artifacts).toMatchObject([{ name: "x-display-2", file_name: "x-display-2_image.html", type: "html" }]);
  });

  test("that was shown by another execution counts as new", async () => {
    record("update_display_data", { data: { "text/plain": "50%" }, transient: { display_id: "elsewhere" } });
    await recorder.settled();
    expect(recorder.artifacts).toMatchObject([{ display_id: "elsewhere", type: "txt", file_content: "50%" }]);
  });

  test("leaves other displays as they are", async () => {
    display({ "text/plain": "one" }, "1");
    display({ "text/plain": "two" }, "2");
    record("update_display_data", { data: { "text/plain": "ONE" }, transient: { display_id: "1" } });
    await recorder.settled();
    expect(contents()).toEqual(["ONE", "two"]);
  });

  test("after the end of the log still updates the result", async () => {
    display({ "text/plain": "one" }, "1");
    await recorder.settled();
    log.close();
    record("update_display_data", { data: { "text/plain": "late" }, transient: { display_id: "1" } });
    await recorder.settled();
    expect(contents()).toEqual(["late"]);
  });
});

describe("clear_output", () => {
  test("lets the next display take the place of the last, as live plots do", async () => {
    for (const text of ["1", "2", "3"]) {
      record("clear_output", { wait: true });
      display({ "text/html": text });
    }
    expect(await events()).toEqual(["x-display-1_image.html"]);
    expect(contents()).toEqual(["3"]);
    expect(recorder.artifacts[0]).toHaveProperty("display_id");
  });

  test("that waits clears nothing where nothing follows", async () => {
    display({ "text/html": "1" });
    record("clear_output", { wait: true });
    await recorder.settled();
    expect(contents()).toEqual(["1"]);
  });

  test("that waits clears when text follows, too", async () => {
    display({ "text/html": "1" });
    record("clear_output", { wait: true });
    stdout("2");
    await recorder.settled();
    expect(contents()).toEqual([]);
  });

  test("at once leaves no artifact in the result", async () => {
    display({ "text/html": "1" });
    record("clear_output", { wait: false });
    await recorder.settled();
    expect(contents()).toEqual([]);
  });

  test("takes no text away: stdout is exact", async () => {
    stdout("1");
    record("clear_output", { wait: false });
    stdout("2");
    expect(recorder.stdout.chunks).toEqual(["1", "2"]);
  });
});

describe("plugins", () => {
  test("log in order, and their artifacts come after the displays", async () => {
    record("taskweaver_artifact", { name: "a", file_name: "obj_1_txt_aaaa_f.txt", type: "txt", preview: "p", mime_type: "text/plain" });
    record("taskweaver_log", { level: "info", tag: "Plugin-p", message: "hello" });
    display({ "text/html": "<b>" });
    await recorder.settled();
    expect(names()).toEqual(["x-display-1_image.html", "obj_1_txt_aaaa_f.txt"]);
    expect(recorder.logEntries).toEqual([["info", "Plugin-p", "hello"]]);
    expect(recorder.artifacts[1]).toMatchObject({ original_name: "obj_1_txt_aaaa_f.txt", type: "txt", preview: "p" });
  });

  test("that send odd things give odd artifacts, of a known type", async () => {
    record("taskweaver_artifact", { name: 3, file_name: null, type: "virus" });
    record("taskweaver_log", {});
    await recorder.settled();
    expect(recorder.artifacts).toMatchObject([{ name: "3", type: "file", mime_type: "application/octet-stream" }]);
    expect(recorder.logEntries).toHaveLength(1);
  });
});

describe("what an execution carries is bounded", () => {
  test("a plugin's log is cut with a mark", async () => {
    for (let count = 0; count < 100; count += 1) record("taskweaver_log", { level: "info", tag: "Plugin-p", message: "x".repeat(86) });
    expect(recorder.logEntries).toHaveLength(11);
    expect(recorder.logEntries.at(-1)).toEqual(["warning", "Server", "The log is cut here, after 1000 bytes."]);
  });

  test("displays past the limit are in their files only and say so; one that updates itself counts once", async () => {
    const limits = { maxOutputBytes: 1000, maxSpilledBytes: 1000, maxDisplayBytes: 100 };
    recorder = new OutputRecorder({ executionId: "x", cwd, log, journal: new MemoryJournal(), onFault, limits });
    const html = (letter: string) => letter.repeat(60);
    display({ "text/html": html("a") }, "live");
    for (const letter of ["b", "c"])
      record("update_display_data", { data: { "text/html": html(letter) }, transient: { display_id: "live" } });
    display({ "text/html": html("d"), "text/plain": "plain" });
    display({ "text/html": "short" });
    await recorder.settled();
    expect(recorder.artifacts).toMatchObject([
      { file_content: html("c") },
      { file_name: "x-display-2_image.html", preview: "[the content is left out here; it is in x-display-2_image.html] plain" },
      { file_content: "short" },
    ]);
    expect(recorder.artifacts[1]).not.toHaveProperty("file_content");
    expect(await readFile(join(cwd, "x-display-2_image.html"), "utf8")).toBe(html("d"));
  });
});

test("what overflowed is the last artifact, and the cut is told", async () => {
  stdout("x".repeat(1001));
  display({ "text/html": "<b>" });
  await recorder.settled();
  expect(names()).toEqual(["x-display-1_image.html", "x-stdout.txt"]);
  expect(recorder.truncated).toEqual({ stdout: { bytes_written: 1001, bytes_kept: 1000, artifact: "x-stdout.txt" } });
});

test("a question becomes an event", async () => {
  record("input_request", { prompt: "name? ", password: true });
  record("input_request", {});
  const asked = (await logged()).map((event) => (event.event === "input_request" ? event.data : undefined));
  expect(asked).toEqual([
    { prompt: "name? ", password: true },
    { prompt: "", password: false },
  ]);
});

test("a question that a kernel tells again is no further event; one that was lost with a server is", async () => {
  record("input_request", { prompt: "name? ", password: false });
  record("input_request", { prompt: "name? ", password: false, number: 1 });
  record("input_request", { prompt: "age? ", password: false, number: 2 });
  const asked = (await logged()).map((event) => (event.event === "input_request" ? event.data.prompt : undefined));
  expect(asked).toEqual(["name? ", "age? "]);
});

test("what is gone before a replay is told where it is missing, and what follows has the kernel's numbers", async () => {
  stdout("before");
  recorder.goOnFrom(1, true);
  stdout("between");
  recorder.goOnFrom(100, false);
  stdout("after");
  await recorder.settled();
  expect(recorder.takenCount).toBe(101);
  const texts = (await logged()).map((event) => (event.event === "output" ? event.data.text : undefined));
  expect(texts).toEqual(["before", "between", "\n[some output is missing here: it was written while the server was away]\n", "after"]);
});

describe("a traceback", () => {
  test("comes without colour codes", () => {
    expect(plainTraceback({ traceback: ["\u001b[31mValueError\u001b[0m: bad", "line 2"] })).toBe("ValueError: bad\nline 2");
  });

  test("that is missing is made of the error's name and value", () => {
    expect(plainTraceback({ ename: "E", evalue: "why", traceback: [] })).toBe("E: why");
    expect(plainTraceback({})).toBe("Error: ");
  });

  test("of an error message is what the result says", () => {
    record("error", { ename: "E", evalue: "v", traceback: ["tb"] });
    expect(recorder.errorText).toBe("tb");
  });
});

function message(type: string, content: Record<string, unknown>): Message {
  const header = { msg_id: "m", session: "s", username: "u", date: "", version: "5.4", msg_type: type };
  return { channel: "iopub", header, parent_header: {}, metadata: {}, content, buffers: [] };
}

function record(type: string, content: Record<string, unknown>): void {
  void recorder.record(message(type, content));
}

function stdout(text: string): void {
  record("stream", { name: "stdout", text });
}

function display(data: Record<string, unknown>, displayId?: string): void {
  record("display_data", { data, transient: displayId === undefined ? {} : { display_id: displayId } });
}

/** All that is in the log, as a reader who comes now sees it. */
async function logged(): Promise<StoredEvent[]> {
  await recorder.settled();
  log.close();
  const seen: StoredEvent[] = [];
  for await (const { event } of log.read()) seen.push(event);
  return seen;
}

async function events(): Promise<string[]> {
  return (await logged()).map((event) => {
    if (event.event === "output") return event.data.text;
    return event.event === "artifact" ? event.data.file_name : event.event;
  });
}

function names(): string[] {
  return recorder.artifacts.map((artifact: StoredArtifact) => artifact.file_name);
}

function contents(): (string | undefined)[] {
  return recorder.artifacts.map((artifact) => artifact.file_content);
}

function b64(text: string): string {
  return Buffer.from(text).toString("base64");
}
