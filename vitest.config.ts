/** The test projects, by what they need: `unit` nothing, `kernel` a Python with ipykernel, the others a built server. */
import { defineConfig } from "vitest/config";

const SECOND_MS = 1000;

/** On a machine that others share, what only waited too long is tried once more; `npm test` names every such test. */
const RETRIES = ["", "0", "false", undefined].includes(process.env["CI"]) ? 0 : 1;

export default defineConfig({
  test: {
    // Kernels and servers are whole processes: more workers than this and waits get long for no fault of the code.
    maxWorkers: 2,
    projects: [
      project("unit", ["test/unit/**/*.test.ts", "test/contract/**/*.test.ts"], 10 * SECOND_MS),
      project("kernel", ["test/kernel/**/*.test.ts"], 60 * SECOND_MS),
      project("e2e", ["test/e2e/**/*.test.ts"], 120 * SECOND_MS),
      project("abuse", ["test/abuse/**/*.test.ts"], 120 * SECOND_MS),
      // Not a part of `npm test`: it makes machines of its own and takes five minutes; docs/swarm.md says what it shows.
      project("swarm", ["test/swarm/**/*.test.ts"], 120 * SECOND_MS),
      project("examples", ["test/examples/**/*.test.ts", "examples/**/*.test.ts"], 120 * SECOND_MS),
    ],
  },
});

function project(name: string, include: string[], timeoutMs: number) {
  const retry = name === "unit" ? 0 : RETRIES;
  return { extends: true as const, test: { name, include, retry, testTimeout: timeoutMs, hookTimeout: timeoutMs } };
}
