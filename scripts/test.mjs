/**
 * `npm test [PART...]`: set-up, then the checks and tests (all, or the parts named). Ends with a line `N passed, N failed, N skipped`.
 * With CI or TASKWEAVER_NO_SKIP set, a skipped test is a failure.
 */
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ensureBuild,
  ensureDependencies,
  ensureFuzzPython,
  ensureOldestPython,
  ensureTestPython,
  execute,
  main,
  ROOT,
  say,
  StepError,
} from "./steps.mjs";

const CHECKS = {
  format: ["node_modules/oxfmt/bin/oxfmt", "--check"],
  lint: ["node_modules/oxlint/bin/oxlint"],
  typecheck: ["node_modules/typescript/bin/tsc"],
};
const PROJECTS = ["unit", "kernel", "e2e", "abuse", "examples"];
/** These run the command as a user would, from `dist/`. */
const BUILT = new Set(["e2e", "abuse", "examples"]);
const ENTITIES = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&", "&#10;": " " };
const PARTS = [...Object.keys(CHECKS), ...PROJECTS, "python", "oldest"];
/** What has to work on the oldest releases that kernels run on, too. */
const OLDEST_TESTS = ["conformance", "executions", "streams", "interrupts", "fork_server", "plugins"];

await main(async () => {
  const named = process.argv.slice(2);
  const unknown = named.find((part) => !PARTS.includes(part));
  if (unknown) throw new StepError(`There is no part "${unknown}"; there are: ${PARTS.join(", ")}`);
  const parts = named.length === 0 ? PARTS : PARTS.filter((part) => named.includes(part));
  let projects = PROJECTS.filter((part) => parts.includes(part));
  const wantsPython = parts.includes("python") || projects.some((project) => project !== "unit");

  await ensureDependencies();
  const failedChecks = [];
  if (projects.some((project) => BUILT.has(project)) && !(await builds())) {
    // What can run without it still tells what else is wrong.
    failedChecks.push(`build, so none of: ${projects.filter((project) => BUILT.has(project)).join(", ")}`);
    projects = projects.filter((project) => !BUILT.has(project));
  }
  // Environments are downloaded most of the time, and the checks need none of them. One lock is held while one of those for kernels is made.
  const kernelPythons = async () => [
    wantsPython ? await ensureTestPython() : undefined,
    parts.includes("oldest") ? await ensureOldestPython() : undefined,
  ];
  const [[python, oldestPython], fuzzPython, failed] = await Promise.all([
    kernelPythons(),
    projects.includes("abuse") ? ensureFuzzPython() : undefined,
    runChecks(Object.keys(CHECKS).filter((check) => parts.includes(check))),
  ]);
  failedChecks.push(...failed);
  const reports = [];
  const folder = await mkdtemp(join(tmpdir(), "taskweaver-test-"));
  try {
    if (projects.length > 0) reports.push(await runVitest(projects, { python, fuzzPython }, join(folder, "vitest.json")));
    const oldest = ["tests/unit/test_compatibility.py", ...OLDEST_TESTS.map((name) => `tests/kernel/test_${name}.py`)];
    // Each uses one processor; together they are through in the time of the longer one.
    const pytests = [
      ...(parts.includes("python") ? [runPytest("python", python, ["tests"], folder)] : []),
      ...(oldestPython ? [runPytest("oldest", oldestPython, oldest, folder)] : []),
    ];
    reports.push(...(await Promise.all(pytests)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return conclude(reports, failedChecks);
});

/** Resolves with those that failed. */
async function runChecks(checks) {
  const failed = [];
  for (const check of checks) {
    say(check);
    if ((await execute(process.execPath, CHECKS[check])) !== 0) failed.push(check);
  }
  return failed;
}

async function builds() {
  try {
    await ensureBuild();
    return true;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    say(error.message);
    return false;
  }
}

/** Runs vitest projects; a run that ends without a report, or fails without a failed test, counts as one failure. */
async function runVitest(projects, { python, fuzzPython }, summaryFile) {
  say(`vitest: ${projects.join(", ")}`);
  const reporters = ["--reporter=default", `--reporter=${join(ROOT, "scripts/summary-reporter.mjs")}`];
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--passWithNoTests",
    ...reporters,
    ...projects.flatMap((name) => ["--project", name]),
  ];
  const env = { ...process.env, TASKWEAVER_TEST_SUMMARY: summaryFile };
  if (python) env.TASKWEAVER_TEST_PYTHON ??= python;
  if (fuzzPython) env.TASKWEAVER_FUZZ_PYTHON ??= fuzzPython;
  const code = await execute(process.execPath, args, { env });
  const report = existsSync(summaryFile) ? JSON.parse(await readFile(summaryFile, "utf8")) : { passed: 0, failed: [], skipped: [] };
  if (code !== 0 && report.failed.length === 0) report.failed.push(`vitest (exit code ${code})`);
  return report;
}

/** What it prints is shown at its end: another one may run beside it. */
async function runPytest(part, python, tests, folder) {
  say(`pytest: ${part}`);
  const [reportFile, outputFile] = [join(folder, `${part}.xml`), join(folder, `${part}.txt`)];
  const output = await open(outputFile, "w");
  const args = [
    "-m",
    "pytest",
    ...tests,
    "-q",
    "-p",
    "no:cacheprovider",
    `--color=${process.stdout.isTTY ? "yes" : "no"}`,
    `--junitxml=${reportFile}`,
  ];
  const code = await execute(python, args, { cwd: join(ROOT, "python"), stdio: ["ignore", output.fd, output.fd] });
  await output.close();
  say(`pytest: ${part} has ended`);
  process.stdout.write(await readFile(outputFile));
  const report = existsSync(reportFile) ? readJunit(part, await readFile(reportFile, "utf8")) : { passed: 0, failed: [], skipped: [] };
  if (code !== 0 && report.failed.length === 0) report.failed.push(`pytest: ${part} (exit code ${code})`);
  return report;
}

/** Reads pytest's own JUnit file, whose shape is known: one `testcase` element each, with `failure`, `error` or `skipped` in it. */
function readJunit(part, xml) {
  const report = { passed: 0, failed: [], skipped: [] };
  for (const [, attributes, body = ""] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const name = `${part}: ${attribute(attributes, "classname")} > ${attribute(attributes, "name")}`;
    const skipped = /<skipped\b([^>]*)/.exec(body);
    if (/<(failure|error)\b/.test(body)) report.failed.push(name);
    else if (skipped) report.skipped.push({ name, reason: attribute(skipped[1], "message") });
    else report.passed += 1;
  }
  return report;
}

function attribute(text, name) {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? "";
  return value.replace(/&(lt|gt|quot|apos|amp|#10);/g, (entity) => ENTITIES[entity]);
}

/** Prints what failed and what was skipped, then the sum as the last line; returns the exit code. */
function conclude(reports, failedChecks) {
  const passed = reports.reduce((sum, report) => sum + report.passed, 0);
  const failed = reports.flatMap((report) => report.failed);
  const unsteady = reports.flatMap((report) => report.unsteady ?? []);
  const skipped = reports.flatMap((report) => report.skipped);
  const noSkip = isSet(process.env.CI) || isSet(process.env.TASKWEAVER_NO_SKIP);
  const lines = [
    "",
    ...failedChecks.map((check) => `Failed check: ${check}`),
    ...failed.map((name) => `Failed: ${name}`),
    ...unsteady.map((name) => `Failed at first, passed at the second try: ${name}`),
    ...skipped.map(
      ({ name, reason }) => `${noSkip ? "Skipped, which is a failure here" : "Skipped"}: ${name} (${reason || "no reason given"})`,
    ),
    `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return failed.length + failedChecks.length + (noSkip ? skipped.length : 0) > 0 ? 1 : 0;
}

function isSet(value) {
  return value !== undefined && !["", "0", "false"].includes(value);
}
