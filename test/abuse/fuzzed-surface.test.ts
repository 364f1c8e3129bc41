/**
 * The HTTP surface, fuzzed from its own OpenAPI document by schemathesis: requests that fit the schemas and requests that just do not, in every place of every
 * operation, and chains of operations. No answer may be a fault of the server's or one that the document does not have, and no session may be lost on the way.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { PACKAGE_ROOT } from "../../src/paths.ts";
import { fuzzPython } from "../helpers/python.ts";
import { startLiveServer } from "../helpers/server.ts";
import { whenDone } from "../helpers/when-done.ts";

const SEED = "1";
const MOST_SECONDS = 40;
const PATIENT = { timeout: 60 };
const LIMIT_MS = 240_000;

/** All but two: what is refused is looked at by our own check, and nobody on this machine needs a key. */
const CHECKS = ["--checks", "all", "--exclude-checks", "positive_data_acceptance,ignored_auth"];

/** Each in a process of its own, at the same time: the first one alone could take all of it. */
const RUNS = [
  ["--phases", "examples,coverage"],
  ["--phases", "fuzzing,stateful", "--max-examples", "20"],
];

test(
  "whatever fits the document or does not, no answer is one that it does not have, and no session is lost",
  { timeout: LIMIT_MS },
  async () => {
    const { url, session, run, info } = await startLiveServer({
      maxSessions: 8,
      executionTimeoutMs: 1_000,
      interruptGraceMs: 200,
      maxBodyBytes: 2 ** 20,
    });
    const kept = await session();
    const known = await session();
    // The short time is for what the fuzzer has run: on a busy machine the first code of a kernel takes longer.
    expect(await run(kept, "kept = 41", PATIENT)).toMatchObject({ reason: "completed" });
    expect(await run(known, "1", { exec_id: "done", ...PATIENT })).toMatchObject({ reason: "completed" });
    const folder = await mkdtemp(join(tmpdir(), "taskweaver-fuzz-"));
    whenDone(() => rm(folder, { recursive: true, force: true }));
    const [FUZZ_SESSION, FUZZ_KEPT] = [known, kept].map((path) => path.split("/").at(-1)!);
    const environment = { FUZZ_SESSION: FUZZ_SESSION!, FUZZ_KEPT: FUZZ_KEPT!, FUZZ_EXECUTION: "done", FUZZ_FOLDER: join(folder, "cwds") };

    for (const report of await Promise.all(RUNS.map((more) => fuzz(`${url}/openapi.json`, folder, environment, more))))
      expect(report).toContain("Test cases:");
    expect(await run(kept, "kept + 1", PATIENT)).toMatchObject({ output: 42, state_kept: true });
    expect(await info(known)).toMatchObject({ status: "running" });
  },
);

/** Its report; a rejection with the report, which says how to repeat it, where it found something. */
async function fuzz(document: string, cwd: string, environment: Record<string, string>, more: string[]): Promise<string> {
  const run = ["-m", "schemathesis.cli", "run", document, ...CHECKS, "--seed", SEED, "--max-time", String(MOST_SECONDS), ...more];
  // How fast examples are made says nothing of the server.
  const options = [
    "--suppress-health-check",
    "too_slow",
    "--continue-on-failure",
    "--no-shrink",
    "--request-timeout",
    "60",
    "--no-color",
    "--warnings",
    "off",
  ];
  const child = spawn(fuzzPython(), [...run, ...options], {
    cwd,
    env: {
      ...process.env,
      ...environment,
      SCHEMATHESIS_HOOKS: "surface_hooks",
      PYTHONPATH: join(PACKAGE_ROOT, "test/fuzz"),
      PYTHONDONTWRITEBYTECODE: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit") as Promise<[number | null]>;
  whenDone(() => child.kill("SIGKILL"));
  const [stdout, stderr, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  if (exitCode !== 0) throw new Error(`The fuzzer ended with ${exitCode}:\n${stdout}${stderr}`);
  return stdout + stderr;
}
