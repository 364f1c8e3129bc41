/** The Python interpreter (with ipykernel) that tests with real kernels use. */

/** Absolute path of the interpreter that the test runner chose. */
export function testPython(): string {
  const python = process.env["TASKWEAVER_TEST_PYTHON"];
  if (!python) {
    throw new Error("These tests need a Python with ipykernel: run them by `npm test`, or set TASKWEAVER_TEST_PYTHON to its path.");
  }
  return python;
}
