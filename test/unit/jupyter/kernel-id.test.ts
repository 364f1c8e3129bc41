/** The ids that Jupyter's clients know sessions by. */
import { expect, test } from "vitest";
import { kernelIdOf } from "../../../src/http/jupyter/kernel-id.ts";

/** What Jupyter Server routes to a kernel. */
const ROUTED = /^\w+-\w+-\w+-\w+-\w+$/;

test("a session's own id is its kernel's where Jupyter accepts it", () => {
  expect(kernelIdOf("202471b6-fe36-55d4-aaaf-64c609d5672e")).toBe("202471b6-fe36-55d4-aaaf-64c609d5672e");
});

test.each(["my-session", "s", "a.b", "x".repeat(128)])("any other session has one that Jupyter accepts, the same each time: %s", (id) => {
  expect(kernelIdOf(id)).toMatch(ROUTED);
  expect(kernelIdOf(id)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(kernelIdOf(id)).toBe(kernelIdOf(id));
  expect(kernelIdOf(id)).not.toBe(kernelIdOf(`${id}x`));
});
