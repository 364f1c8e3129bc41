/** `npm run bench [-- --quick] [PART...]`: set-up, then the benchmark of `bench/`, or the parts of it that are named. */
import { join } from "node:path";
import { ensureBuild, ensureDependencies, main, ROOT } from "./steps.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  // Node 20 does not run TypeScript; vite, which the tests bring, does.
  const { runnerImport } = await import("vite");
  const { module } = await runnerImport(join(ROOT, "bench/main.ts"));
  return module.runBenchmark(process.argv.slice(2));
});
