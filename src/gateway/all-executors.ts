/** What all executors are asked together: lists, which are merged. */
import type { Executor } from "./executor.ts";
import type { ExecutorCalls } from "./executor-calls.ts";
import type { Executors } from "./executors.ts";
import { eachAtOnce } from "./pacing.ts";

/** What one executor answered. */
export interface ExecutorsAnswer<T> {
  executor: Executor;
  answer: T;
}

const TIMEOUT_MS = 4_000;
/** More connections at one time would only wait for each other. */
const AT_ONCE = 256;

/** Asks all executors the same. Who does not answer is counted, not waited for. */
export async function askAll<T>(
  executors: Executors,
  calls: Pick<ExecutorCalls, "json">,
  path: string,
): Promise<{ answers: ExecutorsAnswer<T>[]; missing: number }> {
  const all = executors.all();
  const answers: ExecutorsAnswer<T>[] = [];
  await eachAtOnce(all, AT_ONCE, async (executor) => {
    answers.push({ executor, answer: await calls.json<T>(executor.address, "GET", path, undefined, TIMEOUT_MS) });
  });
  return { answers, missing: all.length - answers.length };
}
