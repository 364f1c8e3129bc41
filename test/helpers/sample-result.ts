/** A result as the server answers it, for tests that look at something else. */
import { bareResult, type ExecutionResult } from "../../src/api/index.ts";

/** One that succeeded without a word, but for the fields given. */
export function sampleResult(fields: Partial<ExecutionResult> = {}): ExecutionResult {
  const bare = bareResult({
    execution_id: "exec-1",
    error: null,
    reason: "completed",
    state_kept: true,
    started_at: "2025-01-01T00:00:00Z",
    finished_at: "2025-01-01T00:00:01Z",
  });
  return { ...bare, ...fields };
}
