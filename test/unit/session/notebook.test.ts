/** The notebook export: what becomes of executions in their various states. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Message } from "../../../src/kernel/messages.ts";
import { Execution, type ExecutionEnd } from "../../../src/session/execution.ts";
import { notebookText } from "../../../src/session/notebook.ts";

interface Cell {
  id: string;
  source: string;
  metadata: { tags?: string[]; taskweaver: { execution_id: string } };
  outputs: Record<string, unknown>[];
}

describe("a notebook", () => {
  let cwd: string;
  const executions: Execution[] = [];

  beforeEach(async () => {
    cwd = await mkdtemp(join(tmpdir(), "notebook-"));
  });
  afterEach(async () => {
    for (const execution of executions.splice(0)) execution.recorder.close();
    await rm(cwd, { recursive: true, force: true });
  });

  const started = (code = "code"): Execution => {
    const execution = queued(code);
    execution.start("m1", 1);
    return execution;
  };
  const queued = (code: string): Execution => {
    const execution = new Execution({
      request: { executionId: `e.${executions.length + 1}`, code, timeoutMs: null, allowInput: false },
      index: executions.length + 1,
      cwd,
      limits: { maxOutputBytes: 1000, maxSpilledBytes: 1000 },
      onFault: (error) => expect.unreachable(String(error)),
    });
    executions.push(execution);
    return execution;
  };
  const cells = async (): Promise<Cell[]> => {
    const info = { session_id: "s", kernel: "python3", loaded_plugins: [] };
    let text = "";
    for await (const part of notebookText({ info, executions: () => executions.toReversed() })) text += part;
    return (JSON.parse(text) as { cells: Cell[] }).cells;
  };

  it("has the cells in the order received, without those that never started", async () => {
    await started("first").finish(COMPLETED);
    await queued("cancelled").finish({ reason: "cancelled", error: "why", stateKept: true });
    started("second");
    queued("waits");
    expect((await cells()).map((cell) => [cell.id, cell.source, cell.metadata.taskweaver.execution_id])).toEqual([
      ["execution-1", "first", "e.1"],
      ["execution-3", "second", "e.3"],
    ]);
  });

  it("joins what was written to one stream, and keeps the order of streams and displays", async () => {
    const execution = started();
    for (const message of [stream("stdout", "a"), stream("stdout", "b"), stream("stderr", "c"), display({ "text/html": "<i>" })]) {
      await execution.recorder.record(message);
    }
    await execution.recorder.record(stream("stdout", "d"));
    await execution.finish(COMPLETED);
    expect((await cells())[0]?.outputs).toEqual([
      { output_type: "stream", name: "stdout", text: "ab" },
      { output_type: "stream", name: "stderr", text: "c" },
      { output_type: "display_data", data: { "text/html": "<i>" }, metadata: {} },
      { output_type: "stream", name: "stdout", text: "d" },
    ]);
  });

  it("holds what threads write after the end", async () => {
    const execution = started();
    await execution.recorder.record(stream("stdout", "in time "));
    await execution.finish(COMPLETED);
    await execution.recorder.record(stream("stdout", "late"));
    expect((await cells())[0]?.outputs).toEqual([{ output_type: "stream", name: "stdout", text: "in time late" }]);
  });

  it("still holds everything once the stream is no longer kept", async () => {
    const execution = started();
    await execution.recorder.record(stream("stdout", "text"));
    await execution.recorder.record(display({ "application/vnd.plotly.v1+json": { data: [] }, "text/plain": "Figure" }));
    await execution.finish(COMPLETED);
    execution.expireStream();
    expect((await cells())[0]?.outputs).toEqual([
      { output_type: "stream", name: "stdout", text: "text" },
      { output_type: "display_data", data: { "application/vnd.plotly.v1+json": { data: [] }, "text/plain": "Figure" }, metadata: {} },
    ]);
  });

  it("shows a value with its rich form as one output", async () => {
    const execution = started();
    const data = { "text/html": "<table>", "text/plain": "a table" };
    await execution.recorder.record(display(data));
    await execution.recorder.record(message("execute_result", { data, metadata: {}, execution_count: 1 }));
    await execution.finish(COMPLETED);
    expect((await cells())[0]?.outputs).toEqual([
      { output_type: "display_data", data, metadata: {} },
      { output_type: "execute_result", execution_count: 1, data, metadata: {} },
    ]);
  });

  it.each([
    ["a plain error", "Traceback\n\nNameError: name 'x' is not defined", "NameError", "name 'x' is not defined"],
    ["an error of the user's own", "Traceback\n\nmodule.Strange: it: is", "module.Strange", "it: is"],
    ["an error without a message", "Traceback\n\nKeyboardInterrupt: ", "KeyboardInterrupt", ""],
    ["a message of several lines", "Traceback\n\nValueError: one\n\ntwo", "ValueError", "one\n\ntwo"],
    ["words that are no traceback", "something went wrong", "Error", "something went wrong"],
  ])("names %s", async (_what, error, ename, evalue) => {
    await started().finish({ reason: "error", error, stateKept: true });
    const [cell] = await cells();
    expect(cell?.outputs).toEqual([{ output_type: "error", ename, evalue, traceback: error.trimEnd().split("\n") }]);
    expect(cell?.metadata.tags).toEqual(["raises-exception"]);
  });

  it("says what stopped an execution, and tells nbclient to pass over it", async () => {
    await started().finish({ reason: "kernel_died", error: "The kernel died.", stateKept: false });
    const [cell] = await cells();
    expect(cell?.metadata.tags).toEqual(["skip-execution"]);
    expect(cell?.outputs).toMatchObject([{ ename: "DeadKernelError", evalue: "The kernel died." }]);
  });
});

const COMPLETED: ExecutionEnd = { reason: "completed", error: null, stateKept: true };

function stream(name: string, text: string): Message {
  return message("stream", { name, text });
}

function display(data: Record<string, unknown>): Message {
  return message("display_data", { data, metadata: {} });
}

function message(type: string, content: Record<string, unknown>): Message {
  const header = { msg_id: "m", session: "s", username: "u", date: "", msg_type: type, version: "5.4" };
  return { channel: "iopub", header, parent_header: {}, metadata: {}, content, buffers: [] };
}
