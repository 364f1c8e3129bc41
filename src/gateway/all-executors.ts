/** What all executors are asked together: lists, which are merged. */
import type { Executor } from "./executor.ts";
import type { ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";

/** What one executor answered. */
export interface ExecutorsAnswer<T> {
  executor: Executor;
  answer: T;
}

const TIMEOUT_MS = 4_000;

/** Asks all executors the same. Who does not answer is counted, not waited for. */
export async function askAll<T>(
  executors: Executors,
  calls: Pick<ExecutorCalls, "json">,
  path: string,
): Promise<{ answers: ExecutorsAnswer<T>[]; missing: number }> {
  const all = executors.all();
  const answers = await Promise.all(
    all.map(async (executor) => {
      try {
        return { executor, answer: await calls.json<T>(executor.address, "GET", path, undefined, TIMEOUT_MS) };
      } catch {
        return undefined;
      }
    }),
  );
  const given = answers.filter((each) => each !== undefined);
  return { answers: given, missing: all.length - given.length };
}
