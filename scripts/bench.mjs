/** `npm run bench [NAME...]`: runs the benchmarks of `bench/` (all, or those named), one after the other. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ensureBuild, ensureDependencies, ensureTestPython, main, ROOT, say, StepError } from "./steps.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  process.env.TASKWEAVER_TEST_PYTHON ??= await ensureTestPython();
  // Node 20 does not run TypeScript; vite, which the tests bring, does.
  const { runnerImport } = await import("vite");
  for (const file of await benchmarks(process.argv.slice(2))) {
    say(file);
    await runnerImport(join(ROOT, "bench", file));
  }
});

/** A benchmark is a file directly in `bench/` that ends in `.bench.ts`; importing it runs it. */
async function benchmarks(names) {
  const files = (await readdir(join(ROOT, "bench"))).filter((file) => file.endsWith(".bench.ts"));
  const chosen = names.length === 0 ? files : names.map((name) => `${name.replace(/\.bench\.ts$/, "")}.bench.ts`);
  const unknown = chosen.find((file) => !files.includes(file));
  if (unknown) throw new StepError(`There is no bench/${unknown}; there are: ${files.join(", ")}`);
  return chosen.toSorted();
}
