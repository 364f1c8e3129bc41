/** A run: events in, what the cell shows out. */
import { describe, expect, it } from "vitest";
import type { Artifact, ExecutionEvent } from "../../../../src/client/index.ts";
import { Run } from "../../../../console/notebook/run.ts";
import { sampleResult } from "../../../helpers/sample-result.ts";

const artifact = (name: string, content = name): Artifact => ({
  name,
  type: "image",
  mime_type: "image/png",
  original_name: `${name}.png`,
  file_name: `${name}.png`,
  file_content: content,
  file_content_encoding: "base64",
  preview: "",
  download_url: "",
});

const output = (text: string, type: "stdout" | "stderr" = "stdout"): ExecutionEvent => ({ event: "output", data: { type, text } });
const shown = (data: Artifact): ExecutionEvent => ({ event: "artifact", data });
const asks = (prompt: string, password = false): ExecutionEvent => ({ event: "input_request", data: { prompt, password } });

function runOf(...events: ExecutionEvent[]): Run {
  const run = new Run("e1");
  for (const event of events) run.apply(event);
  return run;
}

const summary = (run: Run): string[] =>
  run.parts.map((part) => (part.kind === "text" ? part.text.text : `[${part.artifact.name}=${part.artifact.file_content}]`));

describe("output", () => {
  it("keeps the order of texts and pictures", () => {
    expect(summary(runOf(output("a"), output("b"), shown(artifact("p")), output("c")))).toEqual(["ab", "[p=p]", "c"]);
  });

  it("has a display that updates itself in its first place", () => {
    expect(summary(runOf(shown(artifact("p", "1")), output("x"), shown(artifact("p", "2"))))).toEqual(["[p=2]", "x"]);
  });

  it("keeps the identity of what is updated, so that nothing is drawn anew", () => {
    const run = runOf(shown(artifact("p", "1")));
    const { id } = run.parts[0]!;
    run.apply(shown(artifact("p", "2")));
    expect(run.parts[0]!.id).toBe(id);
  });
});

describe("the result", () => {
  it("ends the run, adds what was no event and drops what was cleared", () => {
    const run = runOf(shown(artifact("cleared")), output("x"), {
      event: "result",
      data: sampleResult({ artifact: [artifact("overflow")] }),
    });
    expect(run.state).toBe("done");
    expect(summary(run)).toEqual(["x", "[overflow=overflow]"]);
  });

  it("alone makes a run, too", () => {
    const run = Run.ofResult(sampleResult({ stdout: ["a", "b\n"], stderr: ["c"], artifact: [artifact("p")] }));
    expect(summary(run)).toEqual(["ab\nc", "[p=p]"]);
    expect(run.result?.is_success).toBe(true);
  });
});

describe("the state", () => {
  it("goes on with the first event, and with what the server says before it", () => {
    const run = new Run("e1");
    run.noteState("running");
    expect(run.state).toBe("running");
    run.noteState("queued");
    expect(run.state).toBe("queued");
    run.apply(output("x"));
    expect(run.state).toBe("running");
    run.noteState("queued");
    expect(run.state).toBe("running");
  });

  it("is never done by word alone: the result is still to come", () => {
    const run = new Run("e1");
    run.noteState("done");
    expect(run.state).toBe("queued");
  });
});

describe("a question", () => {
  it("stands behind its prompt, and its answer too", () => {
    const run = runOf(asks("name? "));
    expect(run.question?.prompt).toBe("name? ");
    run.answered("Ada");
    run.apply(output("hello\n"));
    expect(run.question).toBeNull();
    expect(summary(run)).toEqual(["name? Ada\nhello\n"]);
  });

  it("has its answer before what the code makes of it, where that arrives first", () => {
    const run = runOf(asks("name? "));
    run.answering("Ada");
    run.apply(output("hello\n"));
    run.answered("Ada");
    expect(summary(run)).toEqual(["name? Ada\nhello\n"]);
  });

  it("stays open where its answer did not get there", () => {
    const run = runOf(asks("name? "));
    run.answering("Ada");
    run.answering(null);
    run.apply(output("tick\n"));
    expect(run.question?.mayBeAnswered).toBe(true);
    expect(summary(run)).toEqual(["name? \ntick\n"]);
  });

  it("for a password shows no answer", () => {
    const run = runOf(asks("key? ", true));
    run.answered("secret");
    expect(summary(run).join("")).not.toContain("secret");
  });

  it("stays while a thread writes: it may still be open", () => {
    const run = runOf(asks("name? "), output("tick\n"));
    expect(run.question?.mayBeAnswered).toBe(true);
    run.answered("Ada");
    expect(summary(run)).toEqual(["name? \ntick\n"]);
  });

  it("ends with the run", () => {
    expect(
      runOf(asks("name? "), { event: "result", data: sampleResult({ reason: "interrupted", is_success: false }) }).question,
    ).toBeNull();
  });
});
