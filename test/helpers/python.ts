/** The Python interpreters that tests use, as the test runner made them. */

/** Absolute path of the one with ipykernel, which kernels run on. */
export function testPython(): string {
  return pythonOf("TASKWEAVER_TEST_PYTHON", "ipykernel");
}

/** Absolute path of the one with schemathesis. */
export function fuzzPython(): string {
  return pythonOf("TASKWEAVER_FUZZ_PYTHON", "schemathesis");
}

function pythonOf(variable: string, what: string): string {
  const python = process.env[variable];
  if (!python) throw new Error(`These tests need a Python with ${what}: run them by \`npm test\`, or set ${variable} to its path.`);
  return python;
}
