import { expect, test } from "vitest";
import { bareResult, END_REASONS, ExecutionResult } from "../../../src/api/index.ts";

const WHEN = { started_at: null, finished_at: "2025-01-01T00:00:01Z" };

test("a result in which nothing is recorded has all fields of a result, and no other", () => {
  const result = bareResult({ execution_id: "e", error: "It is lost.", reason: "executor_lost", state_kept: false, ...WHEN });
  const { properties } = ExecutionResult as unknown as { properties: object };
  expect(Object.keys(result).toSorted()).toEqual(Object.keys(properties).toSorted());
});

test.each(END_REASONS)("one that ended as %s is a success only where it completed", (reason) => {
  const result = bareResult({ execution_id: "e", error: null, reason, state_kept: true, ...WHEN });
  expect(result.is_success).toBe(reason === "completed");
});
