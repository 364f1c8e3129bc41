/** The table of required fields against messages of every type. */
import { describe, expect, test } from "vitest";
import type { Message } from "../../../src/kernel/messages.ts";
import { missingField, REQUIRED_FIELDS } from "../../../src/kernel/required-fields.ts";

const SAMPLES = { string: "text", number: 1, boolean: true, object: {}, array: [] } as const;

describe.each(Object.entries(REQUIRED_FIELDS))("a message of type %s", (type, fields) => {
  const complete = Object.fromEntries(Object.entries(fields).map(([field, kind]) => [field, SAMPLES[kind]]));

  test("is in order with all required fields, and with more", () => {
    expect(missingField(messageOf(type, { ...complete, more: 1 }))).toBeUndefined();
  });

  test.each(Object.keys(fields))("is refused without %s, or with one of another type", (field) => {
    expect(missingField(messageOf(type, { ...complete, [field]: undefined }))).toBe(field);
    expect(missingField(messageOf(type, { ...complete, [field]: null }))).toBe(field);
    const kind = (fields as Record<string, string>)[field];
    expect(missingField(messageOf(type, { ...complete, [field]: kind === "array" ? {} : [] }))).toBe(field);
  });
});

test("a reply that tells a failure needs its status only", () => {
  expect(missingField(messageOf("complete_reply", { status: "error" }))).toBeUndefined();
  expect(missingField(messageOf("execute_reply", { status: "aborted" }))).toBeUndefined();
});

test.each(["taskweaver_log", "debug_event", "something_new", "constructor", "__proto__"])(
  "a message of type %s passes unchecked",
  (type) => {
    expect(missingField(messageOf(type, {}))).toBeUndefined();
  },
);

function messageOf(type: string, content: Record<string, unknown>): Message {
  const header = { msg_id: "1", session: "s", username: "u", date: "", msg_type: type, version: "5.4" };
  return { channel: "iopub", header, parent_header: {}, metadata: {}, content, buffers: [] };
}
