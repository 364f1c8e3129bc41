/** The JSON of results and events: the kernel's value unchanged, everything else ours, URLs as the reader needs them. */
import { describe, expect, test } from "vitest";
import { checkedJson, renderResult, type Reader, type StoredArtifact, type StoredResult } from "../../../src/session/result.ts";
import { parseExecuteReply, parseTestReply } from "../../../src/session/runtime-protocol.ts";
import type { Message } from "../../../src/kernel/messages.ts";

const READER: Reader = { origin: "http://host:8000", sessionId: "my.session" };

describe("a result", () => {
  test("has the fields of the contract in its order", () => {
    const fields =
      "execution_id is_success error output stdout stderr log variables reason state_kept started_at finished_at truncated artifact";
    expect(Object.keys(JSON.parse(renderResult(result(), READER))).toSorted()).toEqual(fields.split(" ").toSorted());
    expect(renderResult(result(), READER)).toMatch(/^\{"execution_id":"x","is_success":true,"error":null,"output":""/);
  });

  test.each(["3.0", "1e400", "-0", "0.10", "9007199254740993", '"a"', "[1, 2]", '{"a": 3.0}', "null", "true", '"\\ud800"'])(
    "passes the kernel's JSON %s on as it is",
    (output) => {
      expect(renderResult(result({ outputJson: checkedJson(output) }), READER)).toContain(`"output":${output},`);
    },
  );

  test("gives artifacts the URL that this reader can use", () => {
    const text = renderResult(result({ artifact: [artifact("a b/ü?#%.png")] }), READER);
    const url = "http://host:8000/api/v1/sessions/my.session/artifacts/a%20b/%C3%BC%3F%23%25.png";
    expect(JSON.parse(text).artifact[0]).toMatchObject({ file_name: "a b/ü?#%.png", download_url: url });
  });

  test("escapes what is no valid text", () => {
    expect(renderResult(result({ artifact: [artifact("\ud800.png")] }), READER)).toContain("/artifacts/%EF%BF%BD.png");
    expect(JSON.parse(renderResult(result({ stdout: ["\ud800"] }), READER)).stdout).toEqual(["\ud800"]);
    expect(renderResult(result({ stdout: ["\ud800"] }), READER)).toContain('"\\ud800"');
  });
});

describe("what the kernel says its output is", () => {
  test.each(["", "{", "[1", "NaN", "Infinity", "undefined", "'a'", '"a" "b"', '1},"is_success":true,"x":{"y":1', "// 1", "\u0000"])(
    "that is no JSON (%j) becomes a JSON string, and can forge no field",
    (text) => {
      const parsed = JSON.parse(renderResult(result({ is_success: false, outputJson: checkedJson(text) }), READER));
      expect(parsed).toMatchObject({ output: text, is_success: false });
      expect(parsed).not.toHaveProperty("x");
    },
  );

  test.each([undefined, null, 3, {}, ["1"]])("that is no text (%j) counts as no value", (value) => {
    expect(checkedJson(value)).toBe('""');
  });

  test("that spans lines is put on one, so that it cannot break an event stream", () => {
    expect(checkedJson('{\n"a":\r\n1}')).toBe('{ "a":  1}');
  });

  test("that is deeply nested is passed on or refused, never thrown on", () => {
    expect(() => checkedJson("[".repeat(200_000))).not.toThrow();
    expect(() => checkedJson("[".repeat(200_000) + "]".repeat(200_000))).not.toThrow();
  });
});

describe("the reply of a kernel", () => {
  test("without our metadata has nothing of ours", () => {
    expect(parseExecuteReply(reply({}))).toBeUndefined();
    expect(parseExecuteReply(reply({ taskweaver: "no" }))).toBeUndefined();
    expect(parseExecuteReply(reply({ taskweaver: null }))).toBeUndefined();
  });

  test("gives the variables that have the right shape", () => {
    const variables = [["a", "1"], ["b", 2], "c", ["d"], ["e", "5", "6"], null, ["f", "6"]];
    expect(parseExecuteReply(reply({ taskweaver: { output: "1", variables } }))).toEqual({
      outputJson: "1",
      variables: [
        ["a", "1"],
        ["f", "6"],
      ],
    });
    expect(parseExecuteReply(reply({ taskweaver: { variables: "x" } }))).toEqual({ outputJson: '""', variables: [] });
  });

  test("to a plugin's tests is read with doubt", () => {
    const tests = [{ name: "t", description: "d", is_success: true }, { name: 3, is_success: "yes", error: "why" }, null];
    expect(parseTestReply({ ...reply({}), content: { tests } })).toEqual([
      { name: "t", description: "d", is_success: true, error: null },
      { name: "3", description: null, is_success: false, error: "why" },
      { name: "undefined", description: null, is_success: false, error: null },
    ]);
    expect(parseTestReply(reply({}))).toEqual([]);
  });
});

function result(over: Partial<StoredResult> = {}): StoredResult {
  return {
    execution_id: "x",
    is_success: true,
    error: null,
    outputJson: '""',
    stdout: [],
    stderr: [],
    log: [],
    artifact: [],
    variables: [],
    reason: "completed",
    state_kept: true,
    started_at: null,
    finished_at: "2024-01-15T10:30:00.000Z",
    truncated: null,
    ...over,
  };
}

function artifact(fileName: string): StoredArtifact {
  return { name: "a", type: "image", mime_type: "image/png", original_name: fileName, file_name: fileName, preview: "" };
}

function reply(metadata: Record<string, unknown>): Message {
  const header = { msg_id: "m", session: "s", username: "u", date: "", version: "5.4", msg_type: "execute_reply" };
  return { channel: "shell", header, parent_header: {}, metadata, content: {}, buffers: [] };
}
