/** Cleaning up after one test, or after all tests of a file where they share what is costly to make. */
import { beforeAll, onTestFinished } from "vitest";

type Action = () => unknown;

let scope: Action[] | undefined;

/** Runs the action when the test is over, the last one first; failed or not. */
export function whenDone(action: Action): void {
  if (scope === undefined) onTestFinished(async () => void (await action()));
  else scope.unshift(action);
}

/** Makes something once for all tests of the file (or `describe`). @returns Gives it, from within a test. */
export function sharedByAll<T>(make: () => Promise<T>): () => T {
  let made: { value: T } | undefined;
  beforeAll(async () => {
    const actions: Action[] = [];
    scope = actions;
    try {
      made = { value: await make() };
    } finally {
      scope = undefined;
    }
    return async () => {
      for (const action of actions) await action();
    };
  });
  return () => {
    if (made === undefined) throw new Error("What all tests share is there only within a test.");
    return made.value;
  };
}
