/** The doctor's report and exit code. */
import { describe, expect, it } from "vitest";
import { doctor } from "../../../../src/cli/commands/doctor.ts";
import { textReport } from "../../../../src/cli/doctor/report.ts";
import { fakeMachine, SETTINGS } from "./fake-machine.ts";

/** A named Python that does not exist keeps the look at it quick and the same everywhere. */
async function report(options: { json?: boolean; isTTY?: boolean; environment?: NodeJS.ProcessEnv } = {}) {
  let text = "";
  const machine = fakeMachine({ environment: options.environment ?? {} });
  const out = { isTTY: options.isTTY ?? false, write: (chunk: string) => (text += chunk) };
  const exitCode = await doctor({ ...SETTINGS, python: "/no/such/python", json: options.json ?? false, machine }, out);
  return { exitCode, text };
}

describe("doctor", () => {
  it("names each thing with its state, what to do below, and a sum", async () => {
    const { exitCode, text } = await report();
    expect(exitCode).toBe(1);
    expect(text).toMatch(/^ok {7}Node\.js {9}22\.11\.0$/m);
    expect(text).toMatch(/^problem {2}Python {10}There is no Python at "\/no\/such\/python"\n {25}-> Name an interpreter/m);
    expect(text).toMatch(/\n\nThe server cannot run yet: 1 problem\.\n$/);
  });

  it("uses colour on a terminal only, and not where NO_COLOR is set", async () => {
    expect((await report()).text).not.toContain("\u001B[");
    expect((await report({ isTTY: true })).text).toContain("\u001B[31mproblem\u001B[0m");
    expect((await report({ isTTY: true, environment: { NO_COLOR: "1" } })).text).not.toContain("\u001B[");
  });

  it("gives programs JSON", async () => {
    const { exitCode, text } = await report({ json: true, isTTY: true });
    const { ok, checks } = JSON.parse(text);
    expect([exitCode, ok]).toEqual([1, false]);
    expect(checks.map((check: { name: string }) => check.name)).toEqual([
      "Node.js",
      "Python",
      "ipykernel",
      "Packages",
      "Port",
      "Work directory",
      "Session limits",
      "Walls",
      "Docker",
      "GPU",
    ]);
  });
});

it("says that the server can run where there are warnings only", () => {
  expect(textReport([{ name: "Docker", status: "warning", detail: "not installed" }], false)).toMatch(/The server can run\.\n$/);
});
