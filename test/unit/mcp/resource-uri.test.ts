/** The addresses of files. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { fileUri, parseFileUri } from "../../../src/mcp/resource-uri.ts";

test("names the file that it was made for, whatever the file is called", () => {
  const segment = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("/"));
  fc.assert(
    fc.property(segment, fc.array(segment, { minLength: 1, maxLength: 4 }), (sessionId, segments) => {
      const path = segments.join("/");
      expect(parseFileUri(fileUri(sessionId, path))).toEqual({ sessionId, path });
    }),
  );
});

test.each(["taskweaver://sessions/s/files/", "taskweaver://sessions/s", "file:///etc/passwd", "taskweaver://sessions/s/files/%zz", ""])(
  "%j names none",
  (uri) => {
    expect(parseFileUri(uri)).toBeUndefined();
  },
);
