/** `npm run soak [-- MINUTES]`: set-up, then the long run of `test/soak/`: load for minutes while kernels, the fork server and the server are killed. */
import { join } from "node:path";
import { ensureBuild, ensureDependencies, ensureTestPython, main, ROOT } from "./steps.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  process.env.TASKWEAVER_TEST_PYTHON ??= await ensureTestPython();
  // Node 20 does not run TypeScript; vite, which the tests bring, does.
  const { runnerImport } = await import("vite");
  const { module } = await runnerImport(join(ROOT, "test/soak/main.ts"));
  return module.runSoak(process.argv.slice(2));
});
