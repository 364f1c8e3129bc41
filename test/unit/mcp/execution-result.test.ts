/** Results of executions, as a model reads them. */
import { describe, expect, test } from "vitest";
import type { Artifact, ExecutionResult } from "../../../src/client/index.ts";
import { executionResult } from "../../../src/mcp/execution-result.ts";
import { sampleResult } from "../../helpers/sample-result.ts";

const RESULT = sampleResult({ execution_id: "e1" });
const HEAD = "completed in 1.0 s (session_id s, execution_id e1)";

const textOf = (over: Partial<ExecutionResult>): string => {
  const [block] = executionResult("s", { ...RESULT, ...over }).content;
  return block?.type === "text" ? block.text : "";
};

describe("a result", () => {
  test.each([
    ["nothing at all", {}, HEAD],
    ["text", { stdout: ["a\n", "b\n"], stderr: ["c"] }, `${HEAD}\n\nstdout:\na\nb\n\nstderr:\nc`],
    ["a value", { output: { a: [1] } }, `${HEAD}\n\nvalue:\n{"a":[1]}`],
    ["a text as its value", { output: "text" }, `${HEAD}\n\nvalue:\ntext`],
    ["a value that is false", { output: false }, `${HEAD}\n\nvalue:\nfalse`],
    ["a log", { log: [["info", "Plugin-p", "done"]] as ExecutionResult["log"] }, `${HEAD}\n\nlog:\ninfo Plugin-p done`],
    [
      "lost variables",
      { state_kept: false },
      `${HEAD}\n\nThe session's variables were lost; a fresh kernel is there. Files and plugins are kept.`,
    ],
    [
      "cut output",
      { truncated: { stdout: { bytes_written: 10, bytes_kept: 5, artifact: "e1-stdout.txt" } } },
      `${HEAD}\n\nstdout was cut: all 10 bytes are in the file e1-stdout.txt (read_file).`,
    ],
    ["no beginning", { started_at: null, reason: "cancelled" as const }, "cancelled (session_id s, execution_id e1)"],
  ])("with %s", (_what, over, text) => {
    expect(textOf(over)).toBe(text);
  });

  test("of code that failed is an error with its traceback", () => {
    const failed = { is_success: false, reason: "error", error: "Traceback\nValueError" } as const;
    expect(executionResult("s", { ...RESULT, ...failed }).isError).toBe(true);
    expect(textOf(failed)).toMatch("error:\nTraceback\nValueError");
  });

  test("with long text says how to read on", () => {
    expect(textOf({ stderr: ["x".repeat(50_000)] })).toMatch(
      "read on with read_output, session_id s, execution_id e1, name stderr, offset 6000 ...]",
    );
  });

  test("shows pictures that every client knows, and links to every file", () => {
    const artifact = (over: Partial<Artifact>): Artifact => ({
      name: "a",
      type: "image",
      mime_type: "image/png",
      original_name: "a.png",
      file_name: "folder/a b.png",
      file_content: "AAAA",
      file_content_encoding: "base64",
      preview: "",
      download_url: "http://localhost/a.png",
      ...over,
    });
    const { content } = executionResult("s", {
      ...RESULT,
      artifact: [artifact({}), artifact({ type: "svg", mime_type: "image/svg+xml", file_name: "b.svg", preview: "a plot" })],
    });
    expect(content.slice(1)).toEqual([
      { type: "image", data: "AAAA", mimeType: "image/png" },
      { type: "resource_link", uri: "taskweaver://sessions/s/files/folder/a%20b.png", name: "folder/a b.png", mimeType: "image/png" },
      {
        type: "resource_link",
        uri: "taskweaver://sessions/s/files/b.svg",
        name: "b.svg",
        mimeType: "image/svg+xml",
        description: "a plot",
      },
    ]);
  });

  test("with very many pictures shows some and links to all", () => {
    const artifact = Array.from({ length: 30 }, (_, index): Artifact => ({
      name: `${index}`,
      type: "image",
      mime_type: "image/png",
      original_name: "a.png",
      file_name: `${index}.png`,
      file_content: "AAAA",
      file_content_encoding: "base64",
      preview: "",
      download_url: "",
    }));
    const types = executionResult("s", { ...RESULT, artifact }).content.map(({ type }) => type);
    expect([types.filter((type) => type === "image").length, types.filter((type) => type === "resource_link").length]).toEqual([10, 30]);
  });
});
