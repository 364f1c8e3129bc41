/** A vitest reporter that writes what `test.mjs` needs to a file: counts, the failed, the unsteady, and the skipped with the reason of each. */
import { writeFileSync } from "node:fs";

// Vitest loads reporters by their default export.
// oxlint-disable-next-line import/no-default-export
export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: [], unsteady: [], skipped: [] };
    for (const module of modules) {
      const file = module.relativeModuleId;
      // A file that does not load has no tests to fail.
      if (module.errors().length > 0) summary.failed.push(file);
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${file} > ${test.fullName}`;
        if (test.diagnostic()?.flaky) summary.unsteady.push(name);
        if (result.state === "passed") summary.passed += 1;
        else if (result.state === "failed") summary.failed.push(name);
        else summary.skipped.push({ name, reason: result.note ?? "" });
      }
    }
    if (unhandledErrors.length > 0) summary.failed.push(`${unhandledErrors.length} unhandled error(s)`);
    writeFileSync(process.env.TASKWEAVER_TEST_SUMMARY, JSON.stringify(summary));
  }
}
